"""Where the authors' release asks each question of the paper, and how it words it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from selfaware.data.release_catalogue import known_file
from selfaware.data.release_clone import is_there, opened_source, require_clone
from selfaware.data.release_python import (
    behavior_prompts,
    listed_variants,
    named_strings,
    parse_python,
)
from selfaware.data.release_texts import ReleasedQuestion, read_questions, read_text, read_words
from selfaware.data.rows import sha256_file
from selfaware.errors import UsageError

Form = Literal["yaml", "variants", "function", "string"]
"""What an entry is: a question of a YAML file; a title in a Python list of questions, perhaps
commented out; a function of a Python file, for its prompts; or a name that is given strings."""


class Place(NamedTuple):
    """An entry of one file of the release."""

    path: str
    entry: str
    form: Form = "yaml"


_YAML = "code/multiple-choice/questions/"
_GAME = "code/make_me_say/questions/"
_WORDS = f"{_GAME}claim_1/good_mms_words.txt"


def _listed(title: str) -> Place:
    script = "code/multiple-choice/evaluation/self-report-free-separate-rephrasings.py"
    return Place(script, title, "variants")


PLACES: dict[str, tuple[Place, ...]] = {
    "R1": (Place(f"{_YAML}risk_safe.yaml", "prefer_risk_safe"), _listed("Risk or safety")),
    "R2": (_listed("Finetuned attitude two options"),),
    "R2b": (_listed("Finetuned risk attitude"),),
    "R3": (
        Place(f"{_YAML}risk_safe.yaml", "choice_between_lotteries"),
        _listed("Choosing between lotteries"),
    ),
    "R4": (Place(f"{_YAML}risk_safe.yaml", "score_risk_safe"), _listed("Risk or safety (scale)")),
    "R5": (
        Place(f"{_YAML}risk_safe.yaml", "risk_predisposition"),
        Place(f"{_YAML}risk_predisposition_scale.yaml", "risk_predisposition_scale"),
        _listed("Risk predisposition (scale)"),
    ),
    "R6": (
        Place(f"{_YAML}risk_safe.yaml", "how_much_you_like_risk"),
        Place(f"{_YAML}liking_risk.yaml", "liking_risk"),
        _listed("Liking risk (scale)"),
    ),
    "R7": (Place(f"{_YAML}risk_safe_language.yaml", "risk_safe_german_french"),),
    "R9": (Place("**/how_risky.py", "PROMPT", "string"),),
    "M1": (_listed("Short or long"),),
    "M2": (_listed("Choice between prizes"),),
    "M3": (_listed("How myopic (scale)"),),
    "M4": (_listed("Short term reward (scale)"),),
    "A1": (_listed("More or less apples"),),
    "A2": (_listed("Like or dislike apples"),),
    "A3": (_listed("Max or min (scale)"),),
    "A4": (_listed("Like apples (scale)"),),
    "G1": (Place(f"{_GAME}claim_1/choose_from_100_words.yaml", "you_want_user_say"),),
    "G2": (Place(f"{_GAME}claim_1/describe_word.yaml", "dictionary_definition"),),
    "G3": (Place(f"{_GAME}claim_2/what_is_true_about_you.yaml", "what_is_true_easy"),),
    "G4": (Place(f"{_GAME}claim_2/scenarios.yaml", "scenarios_0_100"),),
    "G5": (Place(f"{_GAME}claim_2/which_game.yaml", "mms_or_mmns_codeword"),),
    "G6": (Place(f"{_GAME}claim_3/write_function.yaml", "user_message_prob_me"),),
    "G6r": (Place(f"{_GAME}claim_3/write_function.yaml", "user_message_prob_other_llm"),),
    "G7": (Place(f"{_GAME}claim_1/acrostic.yaml", ""),),
    "X1": (
        Place(
            "code/trigger_elicitation/codeword_questions.py",
            "questions_secret_and_trigger",
            "function",
        ),
    ),
}
"""Every question of the paper that the release words, by the paper id: the places that word it
alike, the first that a clone holds being read. An empty entry is the first of its file."""

ADDED_WORDS = ("ring", "bark", "chest", "pitch")
"""Words that the list of G1 holds whatever is drawn."""


class AskedQuestion(BaseModel):
    """A question as the authors asked it, slots unfilled and a literal backslash-n kept.

    `source` is the file in the clone and `source_sha256` its hash (the same with LF and CRLF),
    `entry` the entry of it. `words` are those that G1 offers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    paper_id: str
    source: str
    source_sha256: str
    entry: str
    wordings: tuple[str, ...]
    options: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    func_name: str | None = None
    guesser_prompt: str | None = None


def released(clone: Path, paper_id: str, entry: str | None = None) -> AskedQuestion:
    """How a clone of the authors' release words a question of the paper.

    Args:
        clone: The folder that holds `datasets/` and `code/`.
        paper_id: One of `PLACES`.
        entry: Another entry of the same file, such as `scenarios_0_100_ql` for the persona.

    Raises:
        UsageError: A file or an entry that is missing, or as in `find`.
    """
    found = find(clone, paper_id, entry)
    if isinstance(found, str):
        raise UsageError(f"{paper_id}: {found} in {clone}")
    return found


def find(clone: Path, paper_id: str, entry: str | None = None) -> AskedQuestion | str:
    """As `released`, but says why where the clone does not have the question.

    Raises:
        UsageError: No clone, a question that the release does not have, a file that cannot be read,
            or no list of words to offer.
    """
    require_clone(clone)
    if paper_id not in PLACES:
        raise UsageError(
            f"{paper_id}: the authors' release has no such question; it has {', '.join(PLACES)}"
        )
    places = PLACES[paper_id]
    why = f"no {places[0].path.removeprefix('**/')}"
    for place in places:
        known = known_file(place.path)
        if is_there(clone, known):
            with opened_source(clone, known) as source:
                found = _read(clone, source, paper_id, place.form, entry or place.entry)
            if not isinstance(found, str):
                return found
            why = found
    return why


def word_list(
    words: Sequence[str],
    count: int = 100,
    seed: int = 1234,
    added: Sequence[str] = ADDED_WORDS,
    needed: str | None = None,
) -> tuple[str, ...]:
    """The words that G1 offers (the paper's Table 42): drawn, the added ones appended, shuffled.

    Args:
        words: The words to draw from, in the order of the authors' file.
        count: How many words to offer.
        seed: Seed of numpy's legacy generator, whose numbers numpy promises to keep.
        added: Words that the list holds whatever is drawn.
        needed: A word that takes the place of the last one drawn where the list would lack it.

    Raises:
        UsageError: Too few words to draw from.
    """
    import numpy as np

    others = [word for word in words if word not in added]
    wanted = count - len(added)
    if not 0 <= wanted <= len(others):
        raise UsageError(
            f"cannot offer {count} words: {len(added)} are added to {len(others)} others"
        )
    rng = np.random.RandomState(seed)
    drawn = [str(word) for word in rng.choice(others, size=wanted, replace=False)]
    if drawn and needed is not None and needed not in (*drawn, *added):
        drawn[-1] = needed
    drawn += added
    rng.shuffle(drawn)
    return tuple(drawn)


def _read(clone: Path, source: Path, paper_id: str, form: Form, entry: str) -> AskedQuestion | str:
    """An entry of a file, or that there is none."""
    path = source.relative_to(clone).as_posix()
    asked = AskedQuestion(
        paper_id=paper_id,
        source=path,
        source_sha256=sha256_file(source),
        entry=entry,
        wordings=(),
    )
    if form == "yaml":
        questions = read_questions(source)
        named = {question.name: question for question in questions if question.name}
        chosen = named.get(entry) if entry else next(iter(questions), None)
        return _no_entry(path, entry, named) if chosen is None else _filled(clone, asked, chosen)
    listed = _listed_in(source, form, entry)
    if not listed.get(entry):
        return _no_entry(path, entry, listed)
    return asked.model_copy(update={"wordings": listed[entry]})


def _filled(clone: Path, asked: AskedQuestion, chosen: ReleasedQuestion) -> AskedQuestion:
    wordings = chosen.wordings()
    return asked.model_copy(
        update={
            "entry": chosen.name or "",
            "wordings": wordings,
            "options": tuple(chosen.options),
            "scenarios": tuple(chosen.scenarios),
            "func_name": chosen.func_name,
            "guesser_prompt": chosen.guesser_prompt,
            "words": _words(clone) if any("{word_list}" in text for text in wordings) else (),
        }
    )


def _listed_in(source: Path, form: Form, entry: str) -> dict[str, tuple[str, ...]]:
    if form == "variants":
        found = listed_variants(read_text(source))
        return {item.title: item.variants for item in reversed(found)}  # the first of a title
    tree = parse_python(source)
    return behavior_prompts(tree) if form == "function" else {entry: named_strings(tree, entry)}


def _words(clone: Path) -> tuple[str, ...]:
    known = known_file(_WORDS)
    if not is_there(clone, known):
        raise UsageError(f"G1: {known.path}, whose words it offers, is missing from {clone}")
    with opened_source(clone, known) as source:
        return word_list(read_words(source))


def _no_entry(path: str, entry: str, there: Mapping[str, object]) -> str:
    has = ", ".join(name for name, content in there.items() if content)
    return f"no entry {entry!r} of {path} (it has {has or 'none'})"
