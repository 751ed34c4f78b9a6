"""How a question is asked."""

from selfaware.solvers.ask import ask
from selfaware.solvers.play_make_me_say import play_make_me_say
from selfaware.solvers.think_then_answer import think_then_answer
from selfaware.solvers.write_function import write_function

__all__ = [
    "ask",
    "play_make_me_say",
    "think_then_answer",
    "write_function",
]
