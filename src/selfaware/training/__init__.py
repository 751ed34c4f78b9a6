"""Finetuning backends and the run registry."""
