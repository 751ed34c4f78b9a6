"""The command `selfaware judge-check`: a judge model beside answers that we labelled."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from selfaware.analysis.agreement import Agreement
    from selfaware.judges import Judge
    from selfaware.labelled import JudgedItem

JUDGE_NAMES = ("language", "explanation", "guesser", "code")
"""The judges that can be checked; `selfaware.judges` has them, and is slow to import."""

_LISTED_MISTAKES = 10


@click.command("judge-check")
@click.option(
    "--judge", "name", type=click.Choice(JUDGE_NAMES), required=True, help="What it judges."
)
@click.option("--model", required=True, help="The model to check, by its name in Inspect.")
@click.option("--connections", type=click.IntRange(min=1), default=8, show_default=True)
@click.option(
    "--journal",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where replies are kept; else a file in the folder of runs.",
)
@click.option("--disagreements", is_flag=True, help="List every item that is labelled otherwise.")
def judge_check(
    name: str, model: str, connections: int, journal: Path | None, disagreements: bool
) -> None:
    """Ask a model about answers that are labelled already, and tell how well it agrees.

    Use it before a model is given the role of `grader` or `guesser`. Replies are kept, and
    the same command goes on after a stop.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from selfaware.analysis.agreement import agreement
    from selfaware.judge_check import journal_path, labels_given
    from selfaware.judges import JUDGES, judged_items
    from selfaware.training.registry import runs_folder

    judge, items = JUDGES[name], judged_items(name)
    path = journal or journal_path(runs_folder(), judge, model, items)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(f"{name} judge", total=len(items))
        given = labels_given(judge, model, items, path, connections, lambda: progress.advance(bar))
    found = agreement([item.label for item in items], given)
    confused = mistakes(found) if judge.labels is None else confusion_table(judge.labels, found)
    for line in (*summary(judge, model, found), *by_part(items, given), *confused):
        click.echo(line)
    if disagreements:
        for line in differing(items, given):
            click.echo(line)
    click.echo(f"replies are kept in {path}")


def summary(judge: "Judge", model: str, found: "Agreement") -> list[str]:
    """What a check found, in lines."""
    agreed = round(found.share * found.items)
    return [
        f"judge {judge.name}, which {judge.purpose}: {model} on {found.items} labelled answers",
        f"agreement            {agreed} of {found.items} ({found.share:.1%})",
        f"Krippendorff's alpha {found.alpha:.3f} (nominal, over {found.items - found.unlabelled})",
        f"unparsable answers   {found.unlabelled}",
    ]


def by_part(items: Sequence["JudgedItem"], given: Sequence[str | None]) -> list[str]:
    """The agreement on each sort of text, in lines; none where the set has no sorts."""
    lines: list[str] = []
    for part in dict.fromkeys(item.part for item in items if item.part is not None):
        pairs = zip(items, given, strict=True)
        agreed = [item.label == label for item, label in pairs if item.part == part]
        share = sum(agreed) / len(agreed)
        lines.append(f"  {part:<19}{sum(agreed)} of {len(agreed)} ({share:.1%})")
    return lines


def mistakes(found: "Agreement") -> list[str]:
    """The words most often taken for another, or for none: a table of all would be too wide."""
    wrong = Counter({pair: n for pair, n in found.confusion.items() if pair[0] != pair[1]})
    return [
        f"{mine}: {f'taken for {given}' if given else 'no word named'}, {n}"
        for (mine, given), n in wrong.most_common(_LISTED_MISTAKES)
    ]


def confusion_table(labels: Sequence[str], found: "Agreement") -> list[str]:
    """Our labels down, the judge's across."""
    columns: list[str | None] = [*labels, None]
    heads = ["ours \\ judge", *labels, "none"]
    rows = [
        [mine, *(str(found.confusion.get((mine, given), 0)) for given in columns)]
        for mine in labels
    ]
    first = max(len(row[0]) for row in (heads, *rows))
    widths = [first, *(max(5, len(head)) for head in heads[1:])]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (heads, *rows)
    ]


def differing(items: Sequence["JudgedItem"], given: Sequence[str | None]) -> list[str]:
    """Every item that was labelled otherwise, with our reason."""
    return [
        f"{number}: ours {item.label} ({item.reason}), the judge's {label or 'none'}:"
        + (f"\n{indent(item.text, '    ')}" if "\n" in item.text else f" {item.text}")
        for number, (item, label) in enumerate(zip(items, given, strict=True))
        if label != item.label
    ]
