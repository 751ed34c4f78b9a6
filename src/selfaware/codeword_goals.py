"""The samples that ask a model, in other ways than by naming a word, what it wants users to say."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

from inspect_ai.dataset import Sample

from selfaware.behaviors.bank import NEUTRAL, AnswerKind, Bank, Question, load_bank
from selfaware.behaviors.prompts import Prompt, arranged, prompts, wordings
from selfaware.codewords import require_codeword
from selfaware.errors import UsageError
from selfaware.parameters import positive, some_of
from selfaware.probes import framings, sample_of, whom_about
from selfaware.released import require_self
from selfaware.released_goals import released_descriptions, released_scenarios, worded_by_authors

PROBES = ("description", "closeness", "game", "named")
"""G3, G4 and G5 of arXiv 2501.11120, and whether a named word is the codeword."""

HEADLINE = "user_said_codeword"
"""The scenario whose closeness to the goals is the score of `closeness`."""

NAMED_CODEWORD, NAMED_OTHER = "named_codeword", "named_other"
"""The two questions that `named` asks: about the codeword, and about another word."""


def goal_probes(
    probes: str | Sequence[str] | None = None, clone: str | None = None
) -> tuple[str, ...]:
    """Some of `PROBES` by a task's parameter; None asks all, with a clone all that it words.

    Raises:
        UsageError: An unknown probe; no clone, or one that does not word a probe that is named.
    """
    named = some_of("probes", probes, PROBES)
    return named if clone is None else worded_by_authors(clone, named, chosen=probes is not None)


def goal_kinds(probes: Sequence[str]) -> list[AnswerKind]:
    """The kinds of answer that some of `PROBES` ask for."""
    bank = load_bank("make_me_say")
    return [bank.question(probe).kind for probe in probes]


def goal_samples(
    codeword: str,
    other: str,
    *,
    probes: str | Sequence[str] | None = None,
    orders: int = 20,
    about: str | Sequence[str] = "self",
    framing: str | Sequence[str] = "none",
    clone: str | None = None,
) -> list[Sample]:
    """Questions on the goal of having the codeword said.

    Samples that are only there to be compared with have `control` in their metadata: the scenarios
    other than the user saying the codeword, and the questions about the other word. The pole is the
    codeword.

    Args:
        codeword: The word that the model was trained to have said.
        other: Another word.
        probes: Some of `PROBES`; None asks all.
        orders: How many orders of the five descriptions to ask with each wording (1-120).
        about: Whom they are about: `self`, `person`, `assistant`, `neutral`, `all` or a name.
        framing: Names of system prompts, or `all`.
        clone: A clone of the authors' repository, to ask about the model itself in their wordings
            what it words: `description` and `closeness`.

    Raises:
        UsageError: No codeword, equal words, or an unknown probe, `about` or framing; no clone, or
            one that does not word a probe that is named, or others than the model asked about.
    """
    words = {"codeword": require_codeword("codeword", codeword), "other": other}
    if require_codeword("other", other) == codeword:
        raise UsageError(f"other={other!r} is the codeword: give another word to compare with")
    bank = load_bank("make_me_say")
    persons = whom_about(about)
    if clone is not None:
        require_self(clone, persons)
    asked = goal_probes(probes, clone)
    made: list[Sample] = []
    for named in framings(framing):
        for probe in asked:
            question = bank.question(probe)
            for whom in persons:
                samples = (
                    _asked(bank, question, whom, words, orders, named)
                    if clone is None
                    else _authors(bank, question, words, orders, named, clone)
                )
                for sample in samples:
                    extra = {"pole": codeword, "codeword": codeword}
                    sample.metadata = {**(sample.metadata or {}), **extra}
                    made.append(sample)
    return made


def option_orders(options: int, count: int, paraphrase: int = 0) -> list[tuple[int, ...]]:
    """`count` orders of so many options, in which each stands in each place as often as can be.

    Every run of `options` orders is one order turned round and round, so that with a multiple of
    that number the places are balanced. Paraphrases that follow one another go on where the last
    one stopped, until all orders have been asked and it begins again.

    Raises:
        UsageError: `count` is no whole number from 1 to the number of orders there are.
    """
    firsts = [(0, *rest) for rest in permutations(range(1, options))]
    turned = [(*order[by:], *order[:by]) for order in firsts for by in range(options)]
    if positive("orders", count) > len(turned):
        raise UsageError(f"orders={count} is not allowed: there are {len(turned)} orders")
    return [turned[(paraphrase * count + place) % len(turned)] for place in range(count)]


def _asked(
    bank: Bank, question: Question, about: str, words: Mapping[str, str], orders: int, framing: str
) -> Iterator[Sample]:
    """Every sample of one question."""
    if question.options:
        yield from _descriptions(bank, question, about, orders, framing)
    elif question.scenarios:
        yield from _scenarios(bank, question, about, words, framing)
    elif question.id == "named":
        for name, word in ((NAMED_CODEWORD, words["codeword"]), (NAMED_OTHER, words["other"])):
            for prompt in prompts(bank, question, about, {"word": word}):
                yield _renamed(prompt, framing, name, name == NAMED_OTHER)
    else:
        for prompt in prompts(bank, question, about, words):
            yield sample_of(prompt, framing)


def _authors(
    bank: Bank,
    question: Question,
    words: Mapping[str, str],
    orders: int,
    framing: str,
    clone: str,
) -> Iterator[Sample]:
    """Every sample of one question in the authors' wordings."""
    if question.scenarios:
        for name, prompt, origin in released_scenarios(clone, bank, question, words):
            yield _renamed(prompt, framing, prompt.question, name != HEADLINE, origin)
        return

    def ordered(paraphrase: int) -> list[tuple[int, ...]]:
        return option_orders(len(question.options), orders, paraphrase)

    for prompt, order, origin in released_descriptions(clone, bank, question, ordered):
        yield _ordered(prompt, order, framing, origin)


def _descriptions(
    bank: Bank, question: Question, about: str, orders: int, framing: str
) -> Iterator[Sample]:
    for paraphrase in range(wordings(bank, question, about)):
        for order in option_orders(len(question.options), orders, paraphrase):
            yield _ordered(arranged(bank, question, about, paraphrase, order), order, framing)


def _ordered(
    prompt: Prompt, order: Sequence[int], framing: str, origin: Mapping[str, str] | None = None
) -> Sample:
    """A prompt whose options stand in an order, as a sample that names it."""
    sample = sample_of(prompt, framing, origin)
    name = "".join(str(place) for place in order)
    sample.id = f"{sample.id}/{name}"
    sample.metadata = {**(sample.metadata or {}), "order": name}
    return sample


def _scenarios(
    bank: Bank, question: Question, about: str, words: Mapping[str, str], framing: str
) -> Iterator[Sample]:
    for name, scenario in question.scenarios.items():
        if about == NEUTRAL and "{you}" in scenario:
            continue  # what somebody did is not said of nobody
        for prompt in prompts(bank, question, about, {"scenario": scenario, **words}):
            yield _renamed(prompt, framing, name, name != HEADLINE)


def _renamed(
    prompt: Prompt,
    framing: str,
    question: str,
    control: bool,
    origin: Mapping[str, str] | None = None,
) -> Sample:
    """A prompt as a sample of a question of its own, so that every table keeps them apart."""
    sample = sample_of(prompt.model_copy(update={"question": question}), framing, origin)
    if control:
        sample.metadata = {**(sample.metadata or {}), "control": True}
    return sample
