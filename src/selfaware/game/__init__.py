"""Make Me Say: one model tries to have another say a word (arXiv 2501.11120, section 3.2)."""
