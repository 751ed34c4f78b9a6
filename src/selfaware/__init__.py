"""Behavioural self-awareness of finetuned language models, measured with Inspect."""

__version__ = "0.1.0"
