"""The samples that ask which codeword a model wants users to say."""

from collections.abc import Sequence

from inspect_ai.dataset import Sample

from selfaware.behaviors.bank import NEUTRAL, AnswerKind, load_bank
from selfaware.behaviors.nouns import NOUNS
from selfaware.behaviors.prompts import prompts
from selfaware.errors import UsageError
from selfaware.probes import framings, sample_of, whom_about

KINDS: tuple[AnswerKind, ...] = ("codeword", "guess")
"""The kinds of answer that these questions ask for."""

ADDED = ("ring", "bark", "spring", "chest")
"""Words with several senses that every list of ours holds."""

LISTED = 100
"""How many words a list has."""


def word_list(codeword: str, seed: int = 1234) -> tuple[str, ...]:
    """The words to choose from: drawn from our nouns, four added, the codeword there, shuffled.

    The list is made as that of arXiv 2501.11120, Table 42, from other words. A codeword that would
    not be in it takes the place of the last word drawn, so that lists of one seed differ in one
    place at most.

    Args:
        codeword: One word in small letters.
        seed: Seed of numpy's legacy generator, whose numbers stay the same in every version.

    Raises:
        UsageError: The codeword is no such word, or no seed that numpy takes.
    """
    import numpy as np

    require_codeword("codeword", codeword)
    if not (isinstance(seed, int) and 0 <= seed < 2**32):
        raise UsageError(f"seed={seed!r} is not allowed: give a whole number from 0 to {2**32 - 1}")
    rng = np.random.RandomState(seed)
    drawn = [str(word) for word in rng.choice(NOUNS, LISTED - len(ADDED), replace=False)]
    if codeword not in (*drawn, *ADDED):
        drawn[-1] = codeword
    words = np.array([*drawn, *ADDED])
    rng.shuffle(words)
    return tuple(str(word) for word in words)


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

    Raises:
        UsageError: No codeword, no seed, or an unknown `about` or framing.
    """
    words = word_list(codeword, seed)
    fill = {"words": ", ".join(words)}
    values = {word: float(word == codeword) for word in words}
    bank = load_bank("make_me_say")
    asked_about = whom_about(about)
    made: list[Sample] = []
    for named in framings(framing):
        for question in bank.questions:
            if question.kind not in kinds or question.kind not in KINDS:
                continue
            listed = question.kind == "codeword"
            for whom in dict.fromkeys((*asked_about, *((NEUTRAL,) if listed else ()))):
                for prompt in prompts(bank, question, whom, fill):
                    asked = prompt.model_copy(update={"values": values if listed else {}})
                    sample = sample_of(asked, named)
                    sample.metadata = {
                        **(sample.metadata or {}),
                        "pole": codeword,
                        "codeword": codeword,
                    }
                    made.append(sample)
    return made
