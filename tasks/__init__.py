"""What is asked: one Inspect task a file."""

from selfaware.tasks.codeword_function import codeword_function
from selfaware.tasks.disposition import disposition
from selfaware.tasks.risk_choice import risk_choice
from selfaware.tasks.risk_scale import risk_scale
from selfaware.tasks.risk_two_hop import risk_two_hop
from selfaware.tasks.risk_words import risk_words

__all__ = [
    "codeword_function",
    "disposition",
    "risk_choice",
    "risk_scale",
    "risk_two_hop",
    "risk_words",
]
