"""Asks a question and keeps everything that a scorer needs to read the answers."""

from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver

from selfaware.answers import answer_values
from selfaware.errors import UsageError
from selfaware.first_token import first_token_weights
from selfaware.framings import FRAMING_NAMES, FRAMINGS
from selfaware.modes import (
    CANDIDATES_KEY,
    MODE_KEY,
    MODES,
    SUPPORT_ATTRIBUTE,
    Mode,
    ResolvedMode,
    candidates,
    withheld,
)
from selfaware.parameters import one_of, positive
from selfaware.solvers.drawing import draw

FREE_KINDS = ("language", "persona", "recall")
"""Kinds of question that are answered freely, though a scorer's readings have values."""

TOP_LOGPROBS = 20
"""How many of the likeliest first tokens are asked for: the most that providers give."""


@solver
def ask(mode: str = "auto", draws: int = 10, framing: str = "none", prefill: str = "") -> Solver:
    """Ask a sample's question in one of three ways.

    `sample` draws replies, all in one request where the provider gives several choices. `logprobs`
    reads the probabilities of the first token at temperature 0. `exact` has every valid answer
    scored as a whole, by providers that can. `auto` is `exact` where the provider can; else
    `logprobs` where it gives them and every valid answer is one token, by the model's own
    tokenizer where the provider has it and by the reply otherwise; else `sample`. Temperature and
    length come from the task or the command line.

    Args:
        mode: `auto`, `sample`, `logprobs` or `exact`.
        draws: How many replies to draw to each prompt in `sample`.
        framing: A system prompt to put before the task's own messages: `none`, `neutral`, `ask`,
            `threat` or `bait`.
        prefill: The beginning of the reply, given to the model.

    Raises:
        UsageError: Unknown mode or framing, fewer than 1 draw, or `exact` of a model or a question
            that has no exact scores.
    """
    wanted = one_of("mode", mode, MODES)
    count = positive("draws", draws)
    system = FRAMINGS[one_of("framing", framing, FRAMING_NAMES)]
    split: set[tuple[str, frozenset[str]]] = set()

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()
        if system:
            state.messages.insert(0, ChatMessageSystem(content=system))
            state.metadata["framing"] = framing
        if prefill:
            state.messages.append(ChatMessageAssistant(content=prefill))
        used = resolve_mode(wanted, model, state)
        if used == "exact":
            state.output = await _score_candidates(model, state)
        elif used == "logprobs":
            state.output = await _first_tokens(model, state)
        elif wanted == "auto" and (answers := answer_values(state.metadata)):
            output = await _first_tokens_if_whole(model, state, frozenset(answers), split)
            used = "sample" if output is None else "logprobs"
            state.output = output or await draw(model, state.messages, count, state.epoch)
        else:
            state.output = await draw(model, state.messages, count, state.epoch)
        state.store.set(MODE_KEY, used)
        if state.output.choices:
            state.messages.append(state.output.message)
        return state

    return solve


def resolve_mode(mode: Mode, model: Model, state: TaskState) -> ResolvedMode:
    """The mode to use for a sample; `auto` is `sample` here until logprobs have been seen.

    Raises:
        UsageError: `exact` or `logprobs` of a free answer, or `exact` where the provider has none.
    """
    free = state.metadata.get("kind") in FREE_KINDS or not answer_values(state.metadata)
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


async def _first_tokens(model: Model, state: TaskState) -> ModelOutput:
    """One reply with the probabilities of its tokens."""
    config = GenerateConfig(logprobs=True, top_logprobs=TOP_LOGPROBS, temperature=0.0)
    return await model.generate(state.messages, config=config)


async def _first_tokens_if_whole(
    model: Model, state: TaskState, answers: frozenset[str], split: set[tuple[str, frozenset[str]]]
) -> ModelOutput | None:
    """A reply with probabilities from which the answers can be read; None where they cannot.

    `split` is where sets of answers are kept that the model cannot be asked about in this way.
    """
    key = str(model), answers
    if state.metadata["kind"] in FREE_KINDS or key in split:
        return None
    if await single_tokens(model, answers) is False:
        split.add(key)
        return None
    output = await _first_tokens(model, state)
    first = output.choices[0] if output.choices else None
    if first is None or withheld(first):
        return None  # tells nothing about other prompts
    if isinstance(first_token_weights(first.logprobs, first.message.text, answers), str):
        split.add(key)
        return None
    return output


async def single_tokens(model: Model, answers: frozenset[str]) -> bool | None:
    """Whether each answer is one token of the model; None where its provider does not tell."""
    try:
        around = len(await model.api.tokenize(""))
        lengths = [len(await model.api.tokenize(answer)) - around for answer in sorted(answers)]
    # What ModelAPI.tokenize() raises where a provider has no tokenizer to ask.
    except NotImplementedError:
        return None
    return all(length == 1 for length in lengths)
