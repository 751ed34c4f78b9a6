"""Asks a question and keeps everything that a scorer needs to read the answers."""

from inspect_ai.model import GenerateConfig, Model, ModelOutput, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import collect

from selfaware.answers import answer_values
from selfaware.errors import UsageError
from selfaware.modes import (
    CANDIDATES_KEY,
    MODE_KEY,
    MODES,
    SUPPORT_ATTRIBUTE,
    Mode,
    ResolvedMode,
    candidates,
)
from selfaware.parameters import one_of, positive

TOP_LOGPROBS = 20
"""How many of the likeliest first tokens are asked for: the most that providers give."""

_SEEDS_PER_EPOCH = 1000


@solver
def ask(mode: str = "auto", draws: int = 10) -> Solver:
    """Ask a sample's question in one of three ways.

    `sample` draws replies, all in one request where the provider gives several choices. `logprobs`
    reads the probabilities of the first token at temperature 0. `exact` has every valid answer
    scored as a whole, by providers that can. `auto` is `exact` where the provider can, else
    `sample`. Temperature and length come from the task or the command line.

    Args:
        mode: `auto`, `sample`, `logprobs` or `exact`.
        draws: How many replies to draw to each prompt in `sample`.

    Raises:
        UsageError: Unknown mode, fewer than 1 draw, or `exact` of a model or a question that has
            no exact scores.
    """
    wanted = one_of("mode", mode, MODES)
    count = positive("draws", draws)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()
        used = resolve_mode(wanted, model, state)
        state.store.set(MODE_KEY, used)
        if used == "exact":
            state.output = await _score_candidates(model, state)
        elif used == "logprobs":
            config = GenerateConfig(logprobs=True, top_logprobs=TOP_LOGPROBS, temperature=0.0)
            state.output = await model.generate(state.messages, config=config)
        else:
            state.output = await draw(model, state, count)
        if state.output.choices:
            state.messages.append(state.output.message)
        return state

    return solve


def resolve_mode(mode: Mode, model: Model, state: TaskState) -> ResolvedMode:
    """The mode to use for a sample.

    Raises:
        UsageError: `exact` or `logprobs` of a free answer, or `exact` where the provider has none.
    """
    free = state.metadata.get("kind") == "language" or answer_values(state.metadata) is None
    supported = getattr(model.api, SUPPORT_ATTRIBUTE, False) is True
    if mode == "auto":
        return "exact" if supported and not free else "sample"
    if mode != "sample" and free:
        raise UsageError(
            f"mode={mode!r} needs a question with listed answers, and {state.sample_id!r} is "
            "answered freely: use mode=sample"
        )
    if mode == "exact" and not supported:
        raise UsageError(
            f"mode='exact' is not offered by {model}: use mode=sample or mode=logprobs"
        )
    return mode


async def _score_candidates(model: Model, state: TaskState) -> ModelOutput:
    """One request that has all valid answers to the sample's question scored."""
    body = {CANDIDATES_KEY: candidates(answer_values(state.metadata) or ())}
    return await model.generate(state.messages, config=GenerateConfig(extra_body=body))


async def draw(model: Model, state: TaskState, count: int) -> ModelOutput:
    """`count` replies in one output: from one request, and more where it gives fewer choices."""
    asked = GenerateConfig(num_choices=count) if count > 1 else GenerateConfig()
    output = await model.generate(state.messages, config=asked)
    given = len(output.choices)
    if not 0 < given < count:
        return output
    # Equal requests would be answered alike from Inspect's cache, or under one seed: each gets a
    # seed of its own.
    first_seed = state.epoch * _SEEDS_PER_EPOCH
    requests = [
        model.generate(
            state.messages,
            config=GenerateConfig(
                num_choices=given if given > 1 else None, seed=first_seed + index
            ),
        )
        for index in range(-(-(count - given) // given))
    ]
    return merged(output, await collect(*requests), count)


def merged(output: ModelOutput, more: list[ModelOutput], count: int) -> ModelOutput:
    """One output with the choices of all, at most `count`, and their usage added up."""
    choices = [choice for part in (output, *more) for choice in part.choices][:count]
    usage = output.usage
    for part in more:
        if part.usage is not None:
            usage = part.usage if usage is None else usage + part.usage
    return output.model_copy(update={"choices": choices, "usage": usage})
