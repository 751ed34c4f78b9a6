"""Where model-written code runs: never in our process, never on the bare machine."""
