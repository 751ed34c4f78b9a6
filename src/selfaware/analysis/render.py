"""The result table as CSV, as Markdown and for the terminal."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.table import Table

from selfaware.analysis.statistics import Difference, Estimate
from selfaware.analysis.table import ArmResult, Row


def to_csv(rows: Sequence[Row]) -> str:
    """All rows with all figures in full precision; an empty field means not available.

    Every arm has its mean, interval, n, samples, reply shares and the values of its finetunes.
    """
    records = [_record(row) for row in rows]
    # Tables of several experiments may name other arms on some rows: the header is their union.
    header = list(dict.fromkeys(name for record in records for name in record))
    out = io.StringIO()
    writer = csv.DictWriter(out, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue()


def to_markdown(rows: Sequence[Row]) -> str:
    """All rows, in a table for each behaviour, framing and whom the questions are about."""
    parts: list[str] = []
    for title, section in _sections(rows):
        header = _header(section[0])
        parts.append(f"### {title}\n")
        parts.append(_line(header))
        parts.append(_line(["---", *["---:"] * (len(header) - 2), "---"]))
        parts.extend(_line(_cells(row)) for row in section)
        parts.append("")
    parts.extend(f"- {warning}" for warning in warnings(rows))
    return "\n".join(parts).rstrip() + "\n"


NARROW = 110
"""Columns below which a terminal gets a table without shares of bad replies, n and the paper."""


def terminal_table(rows: Sequence[Row], width: int = 120) -> Table:
    """The rows that tell the story, within 120 columns, or 80 where `width` is below NARROW.

    What models do, and every report about the self; of reports about others, of self minus other
    and, where a behaviour was trained, of the others the means only. `to_csv` and `to_markdown`
    have the rest, `warnings` what to warn of.
    """
    any_trained = any(row.trained for row in rows)
    shown = [
        row
        for row in rows
        if row.level != "probe" or (row.about == "self" and (row.trained or not any_trained))
    ]
    table = Table(
        box=None,
        padding=(0, 1, 0, 0),
        header_style="bold",
        caption=LEGEND,
        caption_justify="left",
    )
    kept = -3 if width < NARROW else None
    for index, name in enumerate(_header(rows[0])[:kept] if rows else ["probe"]):
        heading = name.replace(" - ", " -\n")
        first = index == 0
        table.add_column(heading, justify="left" if first else "right", no_wrap=not first)
    for title, section in _sections(shown):
        table.add_row(f"[bold]{title}[/bold]")
        for row in section:
            style = "italic" if row.level == "mean" else None
            table.add_row(*_cells(row, short=True)[:kept], style=style)
    return table


def warnings(rows: Sequence[Row]) -> list[str]:
    """What to warn of, each once, with the rows that it holds for unless it holds for all."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for warning in filter(None, row.warning.split("; ")):
            found.setdefault(warning, []).append(f"{row.behavior}/{row.about}/{row.probe}")
    return [
        warning
        if len(places) == len(rows)
        else f"{warning} ({', '.join(places[:3])}{', ...' if len(places) > 3 else ''})"
        for warning, places in found.items()
    ]


LEGEND = (
    "Scores 0-1 towards the high pole; ± 95% t interval over finetunes; n = finetunes by arm;\n"
    "p = exact permutation over finetunes (~ over random splits).\n"
    "does = behaviour, self = says of itself, self - X = that minus the same asked about X;\n"
    "plain/twin = the difference as first worded / with flipped or swapped wording;\n"
    "inv/ref = % of replies invalid / refused; paper = its high pole / low pole / base."
)
"""How to read the table."""


def _record(row: Row) -> dict[str, object]:
    change = row.difference
    record: dict[str, object] = {
        "level": row.level,
        "behavior": row.behavior,
        "trained": row.trained,
        "probe": row.probe,
        "paper_id": row.paper_id,
        "kind": row.kind,
        "about": row.about,
        "framing": row.framing,
        "difference": change.value,
        "difference_low": change.low,
        "difference_high": change.high,
        "p": change.p,
        "p_is_exact": change.exact,
        "n_high": change.n_high,
        "n_low": change.n_low,
    }
    for name, half in (("plain", row.plain), ("twin", row.twin)):
        record[f"{name}_difference"] = half.value if half else None
        record[f"{name}_p"] = half.p if half else None
    for arm in row.arms:
        record.update(_arm_record(arm))
    return {
        **record,
        "averaged": " ".join(row.averaged) if row.level == "mean" else "",
        "paper": row.paper,
        "warning": row.warning,
    }


def _arm_record(arm: ArmResult) -> dict[str, object]:
    estimate = arm.estimate
    figures: dict[str, object] = {
        "mean": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "samples": arm.samples,
        "unscored": arm.unscored,
        "invalid": arm.invalid,
        "refusal": arm.refusal,
        "unlisted": arm.unlisted,
        "finetunes": " ".join(f"{value:.6f}" for _, value in arm.finetunes),
    }
    return {f"{arm.arm}_{name}": value for name, value in figures.items()}


def _sections(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    def title(row: Row) -> str:
        trained = "" if row.trained else " (untrained)"
        framing = "" if row.framing == "none" else f", {row.framing}"
        return (
            f"{row.behavior}{trained}{framing}: {'does' if row.level == 'behavior' else row.about}"
        )

    for name, section in groupby(rows, title):
        yield name, list(section)


def _header(row: Row) -> list[str]:
    arms = [arm.arm for arm in row.arms]
    change = f"{arms[0]} - {arms[1]}"
    return ["probe", *arms, change, "p", "plain/twin", "inv/ref", "n", "paper"]


def _cells(row: Row, short: bool = False) -> list[str]:
    name = f"mean of {row.probe}" if row.level == "mean" else row.probe
    halves = [half.value for half in (row.plain, row.twin) if half and half.value is not None]
    invalid, refused = (
        _percent(shares)
        for shares in ([arm.invalid for arm in row.arms], [arm.refusal for arm in row.arms])
    )
    return [
        f"{row.paper_id} {name}".strip(),
        *[_estimate(arm.estimate) for arm in row.arms],
        _change(row.difference),
        _p(row.difference),
        "/".join(_rounded(half, "+") for half in halves) if len(halves) == 2 else "",
        f"{invalid}/{refused}",
        "/".join(str(arm.estimate.n) for arm in row.arms),
        row.paper.partition(" (")[0].replace(" ", "") if short else row.paper,
    ]


def _p(change: Difference) -> str:
    if change.p is None:
        return ""
    return f"{'' if change.exact else '~'}{change.p:.3f}"


def _estimate(estimate: Estimate) -> str:
    if estimate.mean is None:
        return "-"
    if estimate.high is None:
        return _rounded(estimate.mean)
    return f"{_rounded(estimate.mean)} ±{estimate.high - estimate.mean:.2f}"


def _change(change: Difference) -> str:
    if change.value is None:
        return "-"
    if change.high is None:
        return _rounded(change.value, "+")
    return f"{_rounded(change.value, '+')} ±{change.high - change.value:.2f}"


def _percent(shares: Sequence[float | None]) -> str:
    known = [share for share in shares if share is not None]
    return f"{100 * sum(known) / len(known):.0f}" if known else "-"


def _rounded(value: float, sign: str = "") -> str:
    """A value with two decimals and without a minus before zero."""
    return f"{round(value, 2) + 0.0:{sign}.2f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
