"""One figure of an experiment, in the manner of Figure 3 of arXiv 2501.11120."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from selfaware.analysis.table import ArmResult, Row
from selfaware.answers import score_range

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS = ("#D55E00", "#0072B2", "#4D4D4D", "#009E73", "#CC79A7", "#E69F00")
"""Okabe and Ito's colours, told apart with any kind of colour vision."""

_MARKERS = ("o", "s", "D", "^", "v", "P")
_SPREAD = 0.56


def probe_figure(rows: Sequence[Row], title: str) -> "Figure":
    """Probes on x, scores on y: a dot for every finetune, each arm's mean with its interval.

    Scores are 0-1, and a line of panels with others (a function's, -1 to 1) reaches as far as they
    do; a dotted line marks the middle of each probe's range. One line of panels for each behaviour
    and framing: what models do, what they say of themselves, and the means of reports about the
    self and about others. An arm of one model, such as the base, is a single marker. Nothing of
    matplotlib's global state is touched.
    """
    from matplotlib.figure import Figure

    shown = [row for row in rows if " - " not in row.about]
    lines = {(row.behavior, row.framing): row.trained for row in shown}
    panels = [[_panel(shown, key, part) for part in range(3)] for key in lines]
    widths = [max(len(line[part]) for line in panels) for part in range(3)] if panels else [1, 1, 1]
    figure = Figure(
        figsize=(max(8.0, 2.2 + 0.95 * sum(widths)), 1.2 + 3.6 * max(1, len(lines))),
        layout="constrained",
    )
    figure.suptitle(title)
    used = [part for part in range(3) if widths[part]]
    grid = figure.subplots(
        max(1, len(lines)),
        max(1, len(used)),
        squeeze=False,
        sharey="row",
        gridspec_kw={"width_ratios": [widths[part] + 0.6 for part in used] or [1]},
    )
    for axes_line, line, ((behavior, framing), trained) in zip(
        grid, panels, lines.items(), strict=False
    ):
        note = "" if trained else ", not trained"
        asked = "" if framing == "none" else f", framing {framing}"
        drawn = []
        bottom, top = _range([row for part in line for row in part])
        for axes, part in zip(axes_line, used, strict=True):
            heading = ("does", "says of itself", "means of reports")[part]
            if line[part]:
                _draw(axes, line[part], f"{behavior}{note}{asked}: {heading}")
                axes.set_ylim(bottom - 0.05 * (top - bottom), top + 0.05 * (top - bottom))
                drawn.append(axes)
            else:
                axes.set_axis_off()
        drawn[0].set_ylabel("score towards the high pole")
        drawn[0].tick_params(labelleft=True)
    _legend(figure, shown)
    return figure


def _legend(figure: "Figure", rows: Sequence[Row]) -> None:
    """One entry for every arm that is drawn anywhere, with its number of finetunes."""
    count: dict[str, int] = {}
    for arm in (arm for row in rows for arm in row.arms):
        count[arm.arm] = max(count.get(arm.arm, 0), arm.estimate.n)
    drawn = [axes.get_legend_handles_labels() for axes in figure.axes]
    handles = {name: handle for pair in drawn for handle, name in zip(*pair, strict=True)}
    entries = [(handles[arm], f"{arm} (n={n})") for arm, n in count.items() if arm in handles]
    if entries:
        figure.legend(*zip(*entries, strict=True), loc="outside lower center", ncols=len(entries))


def _panel(rows: Sequence[Row], key: tuple[str, str], part: int) -> list[Row]:
    own = [row for row in rows if (row.behavior, row.framing) == key]
    if part == 0:
        return [row for row in own if row.level == "behavior"]
    if part == 1:
        return [row for row in own if row.level == "probe" and row.about == "self"]
    return [row for row in own if row.level == "mean"]


def _range(rows: Sequence[Row]) -> tuple[float, float]:
    """The least and the greatest score that the probes of some rows can have."""
    ranges = [score_range(row.kind) for row in rows]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _draw(axes: "Axes", rows: Sequence[Row], title: str) -> None:
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlim(-0.5, max(len(rows), 1) - 0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xticks(
        range(len(rows)), [_label(row) for row in rows], rotation=40, ha="right", fontsize=8
    )
    for place, row in enumerate(rows):
        middle = sum(score_range(row.kind)) / 2
        ends = (place - 0.5, place + 0.5)
        axes.plot(ends, (middle, middle), color="#BBBBBB", linewidth=0.8, linestyle=":", zorder=0)
        step = _SPREAD / max(1, len(row.arms) - 1)
        for number, arm in enumerate(row.arms):
            x = place + (number - (len(row.arms) - 1) / 2) * step
            _draw_arm(axes, x, arm, number)


def _draw_arm(axes: "Axes", x: float, arm: ArmResult, number: int) -> None:
    estimate = arm.estimate
    color, marker = _COLORS[number % len(_COLORS)], _MARKERS[number % len(_MARKERS)]
    values = [value for _, value in arm.finetunes]
    if len(values) > 1:
        # Dots lie side by side in the order of the seeds, so that equal values stay countable.
        places = [x + 0.05 * (i - (len(values) - 1) / 2) for i in range(len(values))]
        axes.plot(places, values, linestyle="", marker="o", markersize=3, color=color, alpha=0.45)
    if estimate.mean is None:
        return
    bounds = estimate.low is not None and estimate.high is not None
    low = estimate.low if estimate.low is not None else estimate.mean
    high = estimate.high if estimate.high is not None else estimate.mean
    axes.errorbar(
        [x],
        [estimate.mean],
        yerr=[[estimate.mean - low], [high - estimate.mean]] if bounds else None,
        fmt=marker,
        markersize=6,
        capsize=3,
        color=color,
        label=arm.arm,
    )


def _label(row: Row) -> str:
    if row.level == "mean":
        return f"{row.probe}, {row.about}"
    return f"{row.paper_id} {row.probe}".strip()
