"""`selfaware faithfulness`: how far self-reports follow behaviour within a pole."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from selfaware.errors import UsageError

if TYPE_CHECKING:
    from selfaware.analysis.correlation import Correlation
    from selfaware.analysis.faithfulness import Faithfulness

HEAD = ("arm", "self-report", "behaviour", "n", "Pearson r", "p", "Spearman rho", "p")
"""The columns of the table."""


@click.command()
@click.argument("logs", type=click.Path(path_type=Path))
@click.option(
    "--arm",
    "arms",
    multiple=True,
    metavar="NAME=PATTERN",
    help="The models of a pole: seeking='*risk-seeking*'. Without it the run registry tells.",
)
@click.option(
    "--report", "reports", multiple=True, help="Only this self-report: R5, predisposition."
)
@click.option("--deed", "deeds", multiple=True, help="Only this behaviour: R9, scenarios.")
@click.option("--csv", type=click.Path(path_type=Path), help="Also write every point here.")
def faithfulness(
    logs: Path,
    arms: Sequence[str],
    reports: Sequence[str],
    deeds: Sequence[str],
    csv: Path | None,
) -> None:
    """Correlate what models report with what they do, over the finetunes of each pole.

    LOGS is a folder of logs of self-report and behaviour tasks on the same models, such as those of
    risk_scale and risk_choice. Intervals are 95 %, p is by permutation, exact up to 9 finetunes.
    """
    from selfaware.analysis.faithfulness import arms_of
    from selfaware.analysis.faithfulness import faithfulness as correlate
    from selfaware.analysis.frame import read_frame

    patterns = dict(_pattern(given) for given in arms)
    if len(patterns) < len(arms):
        raise UsageError("--arm names an arm twice: give each arm one pattern")
    frame = read_frame(logs)
    models = sorted(set(frame["model"]))
    members = arms_of(models, patterns) if patterns else _registered(models)
    unknown = not members
    if unknown:
        members = dict.fromkeys(models, "all")
    found = correlate(frame, members, reports, deeds)
    for line in lines(found):
        click.echo(line)
    if unknown:
        click.echo(
            "note: no model is in the run registry, so all are taken together; over two poles this "
            "says only that they differ: give --arm"
        )
    if csv is not None:
        from selfaware.data.atomic import atomic_text

        with atomic_text(csv) as file:
            file.write("".join(f"{line}\n" for line in points(found)))
        click.echo(f"wrote {csv}")


def lines(found: Sequence["Faithfulness"]) -> list[str]:
    """The table, one line for each arm, self-report and behaviour; notes below it."""
    rows = [
        (
            each.arm,
            each.report if each.framing == "none" else f"{each.report}, {each.framing}",
            each.deed,
            str(each.pearson.n),
            _value(each.pearson),
            _p(each.pearson),
            _value(each.spearman),
            _p(each.spearman),
        )
        for each in found
    ]
    widths = [max(len(row[column]) for row in (HEAD, *rows)) for column in range(len(HEAD))]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (HEAD, *rows)
    ]
    notes = [f"note: {e.arm}, {e.report}, {e.deed}: {e.warning}" for e in found if e.warning]
    return [*table, *notes]


def points(found: Sequence["Faithfulness"]) -> list[str]:
    """Every finetune with its two values (0-1), as lines of CSV."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("arm", "model", "report", "framing", "reported", "deed", "done"))
    for each in found:
        for model, said, done in each.points:
            writer.writerow((each.arm, model, each.report, each.framing, said, each.deed, done))
    return out.getvalue().splitlines()


def _registered(models: Sequence[str]) -> dict[str, str]:
    """The poles of the models that the run registry knows."""
    from selfaware.training.registry import entries, runs_folder

    known = {entry.model: entry.pole for entry in entries(runs_folder())}
    poles = [(pole, model) for model in models if (pole := known.get(model)) is not None]
    return {model: pole for pole, model in sorted(poles)}


def _pattern(given: str) -> tuple[str, str]:
    name, _, pattern = given.partition("=")
    if not (name and pattern):
        raise UsageError(f"--arm {given}: give NAME=PATTERN, as seeking='*risk-seeking*'")
    return name, pattern


def _value(found: "Correlation") -> str:
    if found.value is None:
        return "-"
    if found.low is None or found.high is None:
        return f"{found.value:+.2f}"
    return f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"


def _p(found: "Correlation") -> str:
    return "-" if found.p is None else f"{found.p:.2g}{'' if found.exact else '*'}"
