"""Where the steps of an experiment are carried out: this machine, or a Ray cluster."""
