"""The Inspect model provider `selfaware/...`."""
