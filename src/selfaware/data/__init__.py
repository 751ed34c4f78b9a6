"""Finetuning sets: building, manifests, reading and checking rows."""
