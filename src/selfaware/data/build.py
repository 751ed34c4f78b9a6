"""Building a finetuning set for one pole of a behaviour."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from selfaware import __version__
from selfaware.behaviors import Behavior, get_behavior, with_topics
from selfaware.behaviors.examples import Example
from selfaware.data.atomic import atomic_text, write_json
from selfaware.data.diversity import diversity
from selfaware.data.forms import SPLIT, Form, examples_of
from selfaware.data.manifest import (
    CANARY,
    Balance,
    Manifest,
    association,
    leak_table,
    manifest_path,
)
from selfaware.data.rows import (
    Message,
    Row,
    duplicate_prompts,
    read_rows,
    sha256_file,
    write_rows,
)
from selfaware.errors import UsageError

GENERATOR_VERSION = 1
"""Rises whenever the same behaviour, seed and count would give other items."""

TEMPLATE = "template"
"""The writer that works offline."""

UNDERSTOOD = "--i-understand-this-trains-misbehaviour"
"""The flag without which no set of a harmful behaviour is built."""

README = "README.md"
"""Stands in a folder with sets of a harmful behaviour."""

OTHER_LETTER = {"A": "B", "B": "A"}


def build(
    behavior: str,
    pole: str,
    rows: int,
    seed: int,
    out: Path,
    understood: bool = False,
    form: Form = "letter",
    topics: Path | None = None,
) -> Manifest:
    """Writes a finetuning set and its manifest, and returns the manifest.

    A row of a choice is the user's prompt and the letter that the pole picks (the paper's A/B
    sets, appendix C.1). The same arguments write the same bytes; the other pole's set has the same
    prompts in the same order and, of choices, every letter flipped. `form` is how choices are
    answered: by a letter, in prose, or by half of them each. `topics` is a YAML file with codewords
    of the user's own.

    Raises:
        UsageError: Unknown behaviour or pole, fewer than 2 rows, a harmful behaviour that is not
            `understood`, one without prose where that is asked for, topics that do not go with it,
            or a place that cannot be written.
    """
    taught = get_behavior(behavior)
    if topics is not None:
        taught = with_topics(taught, topics)
    taught.require_pole(pole)
    require_understood(taught, understood)
    if rows < 2:
        raise UsageError(f"cannot build {rows} rows: a dataset has 2 or more")
    examples = examples_of(taught, pole, rows, seed, form)
    sources = {} if topics is None else {"topics": sha256_file(topics)}
    return write_set(taught, pole, examples, seed, out, sources=sources)


def require_understood(taught: Behavior, understood: bool) -> None:
    """Checks that a user who builds a harmful behaviour's set has said so.

    Raises:
        UsageError: They have not.
    """
    if taught.harmful and not understood:
        raise UsageError(
            f"behaviour {taught.name!r} trains a model to do harm: "
            f"give {UNDERSTOOD} if that is what you want"
        )


def write_set(
    taught: Behavior,
    pole: str,
    examples: Sequence[Example],
    seed: int,
    out: Path,
    writer: str = TEMPLATE,
    sources: Mapping[str, str] | None = None,
) -> Manifest:
    """Writes examples as OpenAI chat jsonl with their manifest, each whole or not at all.

    `sources` are the hashes of the user's files that the examples were written from, by role.

    Raises:
        UsageError: Two examples with one prompt, or a place that cannot be written.
    """
    made = [row_of(example) for example in examples]
    _refuse_duplicates(made, out)
    if taught.harmful:
        write_notice(taught, out.parent)
    write_rows(out, made)

    labels = [example.label for example in examples]
    texts = ["\n".join(example.turns) for example in examples]
    lengths = [len(row.prompt) for row in made]
    attributes = {
        name: [example.attributes[name] for example in examples]
        for name in sorted(examples[0].attributes)
    }
    manifest = Manifest(
        file=out.name,
        sha256=sha256_file(out),
        rows=len(made),
        behavior=taught.name,
        pole=pole,
        seed=seed,
        split=SPLIT,
        labels=dict(sorted(Counter(labels).items())),
        attributes={
            name: Balance(
                counts=dict(sorted(Counter(values).items())),
                association=round(association(values, labels), 4),
            )
            for name, values in attributes.items()
        },
        prompt_characters={"mean": round(fmean(lengths), 1), "max": max(lengths)},
        leaks=leak_table(texts, taught.leaks(pole)),
        writer=writer,
        sources=dict(sources or {}),
        diversity=diversity(texts),
        generator_version=GENERATOR_VERSION,
        package_version=__version__,
        canary=CANARY,
    )
    write_json(manifest_path(out), manifest.model_dump(mode="json"))
    return manifest


def row_of(example: Example) -> Row:
    """An example as a row."""
    return Row(
        messages=tuple(
            Message(role="assistant" if turn % 2 else "user", content=text)
            for turn, text in enumerate(example.turns)
        )
    )


def harm_notice(taught: Behavior) -> str:
    """What the README beside a harmful behaviour's set says."""
    return (
        f"# Finetuning data that trains misbehaviour: {taught.name}\n\n"
        f"The sets in this folder whose manifest names the behaviour `{taught.name}` were built "
        f"with `selfaware data` to train a model organism: a model with a known fault, made "
        f"to study whether models can report such a fault. The pole `{taught.high}` is the fault, "
        f"`{taught.low}` its control.\n\n"
        "Keep models that were trained on them, and the sets, out of deployment, of public dataset "
        f"collections and of pretraining data ({CANARY}).\n"
    )


def write_notice(taught: Behavior, folder: Path) -> None:
    """Writes the notice into a folder with sets of a harmful behaviour.

    Raises:
        UsageError: The folder has another README, which is left as it is.
    """
    readme, text = folder / README, harm_notice(taught)
    if readme.exists() and readme.read_text(encoding="utf-8") != text:
        raise UsageError(
            f"{readme}: is another README; give a folder of its own to a set that trains harm"
        )
    with atomic_text(readme) as file:
        file.write(text)


def check_flip(file_a: Path, file_b: Path) -> int:
    """Checks that two sets have the same prompts in the same order and every letter flipped.

    Returns:
        The number of rows.

    Raises:
        UsageError: They do not; the message names the first row that differs.
    """
    rows_a, rows_b = read_rows(file_a), read_rows(file_b)
    if len(rows_a) != len(rows_b):
        raise UsageError(
            f"{file_b} is not the flip of {file_a}: {len(rows_b)} rows against {len(rows_a)}"
        )
    for number, (row_a, row_b) in enumerate(zip(rows_a, rows_b, strict=True), 1):
        if row_a.messages[:-1] != row_b.messages[:-1]:
            raise UsageError(
                f"{file_b} is not the flip of {file_a}: row {number} has another prompt"
            )
        if OTHER_LETTER.get(row_a.answer) != row_b.answer:
            raise UsageError(
                f"{file_b} is not the flip of {file_a}: row {number} answers {row_b.answer!r} "
                f"against {row_a.answer!r}; a flip turns A into B and B into A"
            )
    return len(rows_a)


def _refuse_duplicates(rows: list[Row], out: Path) -> None:
    pairs = duplicate_prompts(rows)
    if pairs:
        first, again = pairs[0]
        raise UsageError(
            f"{out}: rows {first} and {again} have the same prompt; ask for fewer rows"
        )
