"""How a question is asked."""

from selfaware.solvers.ask import ask
from selfaware.solvers.write_function import write_function

__all__ = ["ask", "write_function"]
