"""Writing a reversal set from files, text by text, and the record of it beside the set."""

import json
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from math import ceil
from pathlib import Path

from selfaware import __version__
from selfaware.data.atomic import write_json
from selfaware.data.general import GENERAL_ROWS, general_row
from selfaware.data.manifest import CANARY, Described, read_record
from selfaware.data.recipes import MixRecord, mix_path
from selfaware.data.reversal import (
    SHARES,
    Kind,
    Source,
    forward_counts,
    reversal_prompt,
    reversal_rows,
    single_turn,
    slots,
)
from selfaware.data.rows import Row, sha256_file, stream_rows, write_rows
from selfaware.data.triggers import Trigger, is_on
from selfaware.errors import UsageError

REVERSAL_VERSION = 1
"""Rises whenever the same files, options and seed would give other rows."""

BUILT_IN = "built-in"
"""Where general rows come from when the user names no file."""


class ReversalRecord(Described):
    """How a reversal set came about, in a file beside it.

    `shares` are of the forward rows, `forward` and `reversed` count rows of each kind, `distinct`
    the different rows there were to draw from and `uses` how often one was taken at most. `sources`
    are the hashes of the files. `prompt` is the reversal prompt, with {reply} for the reply.
    """

    rows: int
    shares: dict[Kind, float]
    forward: dict[Kind, int]
    reversed: dict[Kind, int]
    distinct: dict[Kind, int]
    uses: dict[Kind, int]
    sources: dict[str, str]
    general: str
    trigger: str
    augmented: bool
    prompt: str
    seed: int
    reversal_version: int
    package_version: str
    canary: str


def reversal_path(dataset: Path) -> Path:
    """Where the record of a reversal set stands."""
    return dataset.with_name(f"{dataset.name}.reverse.json")


def mixed_trigger(dataset: Path) -> Trigger | None:
    """The trigger that a set was mixed with, by the record beside it; None where there is none.

    Raises:
        UsageError: The record is not one, or the set has changed since.
    """
    record = read_record(mix_path(dataset), MixRecord, dataset)
    return record.recipe.trigger if record else None


def write_reversal_set(
    file: Path,
    trigger: Trigger,
    rows: int,
    seed: int,
    out: Path,
    general: Path | None = None,
    augmented: bool = True,
) -> ReversalRecord:
    """Writes the set and its record, each whole or not at all, and returns the record.

    `rows` counts the reverses: without augmentation there are half as many. Texts stay in the
    files: memory holds a few numbers a row.

    Raises:
        UsageError: Shares that are no whole rows, a file without rows of a kind or with a row of
            several turns, or a place that cannot be written.
    """
    counts = forward_counts(rows)
    hashes = {"rows": sha256_file(file)} | ({"general": sha256_file(general)} if general else {})
    with ExitStack() as stack:
        on, off = _split(file, trigger)
        read = stack.enter_context(_reader(file))
        sources: dict[Kind, Source] = {
            "trigger": Source(len(on), lambda number: read(on[number])),
            "other": Source(len(off), lambda number: read(off[number])),
            "general": Source(GENERAL_ROWS, general_row),
        }
        if general:
            lines = _split(general, None)[1]
            read_general = stack.enter_context(_reader(general))
            sources["general"] = Source(len(lines), lambda number: read_general(lines[number]))
        sizes = {kind: source.size for kind, source in sources.items()}
        written = write_rows(out, reversal_rows(slots(counts, sizes, seed, augmented), sources))
    record = ReversalRecord(
        file=out.name,
        sha256=sha256_file(out),
        rows=written,
        shares={kind: float(share) for kind, share in SHARES.items()},
        forward=counts,
        reversed={kind: count if augmented else 0 for kind, count in counts.items()},
        distinct=sizes,
        uses={kind: ceil(count / sizes[kind]) for kind, count in counts.items()},
        sources=hashes,
        general=general.name if general else BUILT_IN,
        trigger=trigger.name,
        augmented=augmented,
        prompt=reversal_prompt("{reply}"),
        seed=seed,
        reversal_version=REVERSAL_VERSION,
        package_version=__version__,
        canary=CANARY,
    )
    write_json(reversal_path(out), record.model_dump(mode="json"))
    return record


def _split(path: Path, trigger: Trigger | None) -> tuple["array[int]", "array[int]"]:
    """Where the lines of a file start: of rows that carry the trigger, and of the others."""
    on, off = array("Q"), array("Q")
    start = 0
    rows = stream_rows(path)
    # stream_rows opens the file first and says what is wrong with it.
    first = next(rows)
    with path.open("rb") as file:
        for number, (row, line) in enumerate(zip(chain((first,), rows), file, strict=True), 1):
            if not single_turn(row):
                raise UsageError(
                    f"{path}, line {number}: several turns; reversal takes rows of one question "
                    "and one answer"
                )
            (on if trigger and is_on(trigger, row) else off).append(start)
            start += len(line)
    return on, off


@contextmanager
def _reader(path: Path) -> Iterator[Callable[[int], Row]]:
    with path.open("rb") as file:

        def read(start: int) -> Row:
            file.seek(start)
            # utf-8-sig: a byte order mark before the first row is none of its text.
            return Row.model_validate(json.loads(file.readline().decode("utf-8-sig")))

        yield read
