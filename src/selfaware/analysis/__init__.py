"""Statistics over finetunes, figures and reports. Reads logs, never models."""
