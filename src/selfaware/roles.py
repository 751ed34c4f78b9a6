"""Models in roles: judges and guessers, which are never the model under test by default."""

import asyncio
import os

from inspect_ai.model import (
    CachePolicy,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
    model_roles,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver

from selfaware.errors import UsageError

EXAMPLE = "openai/gpt-4.1"
"""A model that could take a role, for messages."""

JUDGE_TOKENS = 16
"""The most tokens of a judge's answer, which is a word."""

CACHED = CachePolicy(expiry="4W", per_epoch=False)
"""Equal questions to a judge are asked once: its answers at temperature 0 are taken as fixed."""


@solver
def needs_role(role: str, purpose: str) -> Solver:
    """Stop before the first request when no model is bound to a role.

    Without this, Inspect would give the role to the model under test. As `setup` of a task it also
    stops a task that is being loaded by `inspect eval`, before anything else is done.

    Args:
        role: Name of the role, such as `grader`.
        purpose: What the role is for, for the message.

    Raises:
        UsageError: Nothing is bound to the role; the message has the flag to add.
    """
    if _in_eval() and role not in model_roles():
        raise _unbound(role, purpose)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        bound(role, purpose)
        return state

    return solve


def bound(role: str, purpose: str) -> Model:
    """The model that is bound to a role.

    Raises:
        UsageError: None is; the message has the flag to add.
    """
    if role not in model_roles():
        raise _unbound(role, purpose)
    return get_model(role=role, required=True)


async def ask_judge(judge: Model, question: str, max_tokens: int = JUDGE_TOKENS) -> ModelOutput:
    """A judge's answer at temperature 0, from Inspect's cache where it was asked before."""
    config = GenerateConfig(temperature=0.0, max_tokens=max_tokens)
    return await judge.generate(question, config=config, cache=CACHED)


def _in_eval() -> bool:
    """Whether a task is being loaded by an eval, whose roles are then known."""
    if os.environ.get("INSPECT_EVAL_MODEL"):
        return False  # get_model() would then answer outside of an eval as well
    try:
        asyncio.get_running_loop()  # outside of one it is the model that eval_set() has left behind
        get_model()
    except (RuntimeError, ValueError):
        return False
    return True


def _unbound(role: str, purpose: str) -> UsageError:
    return UsageError(
        f"no model is bound to the role {role!r}, which {purpose}: "
        f"add --model-role {role}=MODEL, such as --model-role {role}={EXAMPLE}"
    )
