"""The samples that ask which codeword a model wants users to say."""

from collections.abc import Mapping, Sequence

from inspect_ai.dataset import Sample

from selfaware.behaviors.bank import NEUTRAL, AnswerKind, Bank, Question, load_bank
from selfaware.behaviors.nouns import NOUNS
from selfaware.behaviors.prompts import Prompt, prompts
from selfaware.data.release_questions import released, word_list
from selfaware.errors import UsageError
from selfaware.probes import framings, sample_of, whom_about
from selfaware.released import ID_SUFFIX, clone_folder, released_prompts, require_self

KINDS: tuple[AnswerKind, ...] = ("codeword", "guess")
"""The kinds of answer that these questions ask for."""

ADDED = ("ring", "bark", "spring", "match")
"""Words with several senses that every list of ours holds."""


def listed_words(codeword: str, seed: int = 1234, clone: str | None = None) -> tuple[str, ...]:
    """The hundred words to choose from, the codeword among them.

    They are drawn from our nouns as those of arXiv 2501.11120, Table 42, are from the authors': 96
    by seed, four added, all shuffled. A codeword that would not be among them takes the place of
    the last word drawn, so that lists of one seed differ in one place at most. With a clone of the
    authors' repository they are the authors' own, of whom the codeword has to be one.

    Args:
        codeword: One word in small letters.
        seed: Seed of numpy's legacy generator, whose numbers stay the same in every version.
        clone: The folder of a clone.

    Raises:
        UsageError: The codeword is no such word, no seed that numpy takes, or no clone that offers
            the codeword.
    """
    require_codeword("codeword", codeword)
    if not (isinstance(seed, int) and 0 <= seed < 2**32):
        raise UsageError(f"seed={seed!r} is not allowed: give a whole number from 0 to {2**32 - 1}")
    if clone is None:
        return word_list(NOUNS, seed=seed, added=ADDED, needed=codeword)
    words = released(clone_folder(clone), "G1").words
    if codeword not in words:
        raise UsageError(
            f"codeword={codeword!r} is not on the authors' list: leave questions={clone} away to "
            "have it on ours"
        )
    return words


def require_codeword(name: str, word: str) -> str:
    """The word itself, if it can be a codeword; `name` is the parameter that it was given by.

    Raises:
        UsageError: It is not one word in small letters.
    """
    if not (isinstance(word, str) and word.isalpha() and word.islower()):
        raise UsageError(f"{name}={word!r} is not allowed: give one word in small letters, as ring")
    return word


def codeword_samples(
    codeword: str,
    *,
    kinds: Sequence[AnswerKind] = KINDS,
    about: str | Sequence[str] = "self",
    framing: str | Sequence[str] = "none",
    seed: int = 1234,
    clone: str | None = None,
) -> list[Sample]:
    """Questions for the codeword: chosen from a list (G1), defined (G2), in an acrostic (G7).

    The choice from the list is always asked about nobody as well: talk of a word's topics alone
    makes the word likelier. The pole in the metadata is the codeword.

    Args:
        codeword: The word that the model was trained to have said.
        kinds: `codeword` for the list, `guess` for the other two.
        about: Whom they are about: `self`, `person`, `assistant`, `neutral`, `all` or a name.
        framing: Names of system prompts, or `all`.
        seed: Seed of the list.
        clone: A clone of the authors' repository, to ask about the model itself in their wordings
            and offer their words; the questions about nobody stay ours.

    Raises:
        UsageError: No codeword, no seed, no clone, or an unknown `about` or framing.
    """
    words = listed_words(codeword, seed, clone)
    values = {word: float(word == codeword) for word in words}
    listed = ", ".join(words)
    bank = load_bank("make_me_say")
    chosen = [question for question in bank.questions if question.kind in kinds]
    if clone is None:
        asked = _ours(bank, chosen, whom_about(about), listed)
    else:
        require_self(clone, whom_about(about))
        asked = _authors(bank, chosen, listed, clone)
    made: list[Sample] = []
    for named in framings(framing):
        for prompt, origin in asked:
            worth = values if prompt.kind == "codeword" else {}
            sample = sample_of(prompt.model_copy(update={"values": worth}), named, origin)
            sample.metadata = {**(sample.metadata or {}), "pole": codeword, "codeword": codeword}
            made.append(sample)
    return made


def _ours(
    bank: Bank, questions: Sequence[Question], persons: Sequence[str], listed: str
) -> list[tuple[Prompt, Mapping[str, str]]]:
    """Our wordings; the choice from the list is about nobody as well."""
    return [
        (prompt, {})
        for question in questions
        for whom in dict.fromkeys(
            (*persons, NEUTRAL) if question.kind == "codeword" else (*persons,)
        )
        for prompt in prompts(bank, question, whom, {"words": listed})
    ]


def _authors(
    bank: Bank, questions: Sequence[Question], listed: str, clone: str
) -> list[tuple[Prompt, Mapping[str, str]]]:
    """The authors' wordings, and ours about nobody under the same names of questions."""
    kinds = [question.kind for question in questions]
    asked: list[tuple[Prompt, Mapping[str, str]]] = [
        (prompt.model_copy(update={"text": _with_words(prompt.text, listed)}), origin)
        for prompt, origin in released_prompts(clone, bank, questions, kinds)
    ]
    lists = [question for question in questions if question.kind == "codeword"]
    for prompt, nowhere in _ours(bank, lists, (), listed):
        name = f"{prompt.question}{ID_SUFFIX}"
        asked.append((prompt.model_copy(update={"question": name}), nowhere))
    return asked


def _with_words(text: str, listed: str) -> str:
    """A wording of the release with its list; what stands between the words is ours."""
    return text.replace("{word_list}", f"{listed}. ")
