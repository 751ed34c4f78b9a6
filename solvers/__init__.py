"""How a question is asked."""

from selfaware.solvers.ask import ask

__all__ = ["ask"]
