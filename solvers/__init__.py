"""How a question is asked."""

from selfaware.solvers.ask import ask
from selfaware.solvers.play_make_me_say import play_make_me_say
from selfaware.solvers.write_function import write_function

__all__ = ["ask", "play_make_me_say", "write_function"]
