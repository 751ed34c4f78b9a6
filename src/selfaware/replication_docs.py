"""The page that maps the paper's experiments to tasks, commands and published values."""

import re
import shlex
from collections.abc import Mapping
from functools import cache
from importlib import resources
from itertools import groupby, pairwise

import yaml
from pydantic import BaseModel, ConfigDict

from selfaware.analysis.bands import Published, published


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Replicated(_Frozen):
    """One experiment of the paper: where it stands, its sets, its commands, what differs here.

    `commands` run tasks, `analysis` reads their logs.
    """

    id: str
    title: str
    where: str
    data: tuple[str, ...]
    commands: tuple[str, ...]
    analysis: tuple[str, ...] = ()
    departures: tuple[str, ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that its commands run, each once."""
        return tuple(dict.fromkeys(task for task, _ in map(task_and_options, self.commands)))


class Replication(_Frozen):
    """All experiments, and what differs in all of them."""

    general: tuple[str, ...]
    experiments: tuple[Replicated, ...]


@cache
def replication() -> Replication:
    """The experiments of arXiv 2501.11120, E1 to E18, with their tasks."""
    file = resources.files("selfaware").joinpath("replication.yaml")
    return Replication.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def task_and_options(command: str) -> tuple[str, dict[str, str]]:
    """The task that an `inspect eval selfaware/...` command runs, and its `-T` options."""
    words = shlex.split(command)
    options = [after for word, after in pairwise(words) if word == "-T"]
    pairs = [option.partition("=") for option in options]
    return words[2].removeprefix("selfaware/"), {name: value for name, _, value in pairs}


def replication_page() -> str:
    """`docs/replication.md`: every experiment with its commands, values and departures."""
    found = replication()
    lines = [
        "# Replication",
        "",
        "Written by `selfaware docs` from `src/selfaware/replication.yaml` and the values in",
        "`src/selfaware/analysis/bands.csv`; do not edit it by hand.",
        "",
        "The experiments of [arXiv 2501.11120](https://arxiv.org/abs/2501.11120v1). In commands,",
        "`MODEL` is a finetune, `BASE` the model that it was made from, and `JUDGE` another model",
        "that judges, guesses or plays. `docs/data.md` has the commands that make the sets, named",
        "here as there, and their controls; run all of it on the controls and the base as well.",
        "",
        "Published values are context, never pass or fail. They are written as the paper gives",
        "them, 0 to 1 but where `0to100` is said, with an interval in brackets where there is one,",
        "and n, the number of models. Unless it says Llama the model is GPT-4o.",
        "",
        "Differences from the paper in all of them:",
        "",
        *[f"- {departure}" for departure in found.general],
        "",
        "| | experiment | where | tasks |",
        "|---|---|---|---|",
        *[
            f"| [{each.id}](#{_anchor(each)}) | {each.title} | {each.where} | "
            f"{', '.join(f'[`{task}`](tasks.md#{task})' for task in each.tasks)} |"
            for each in found.experiments
        ],
    ]
    for each in found.experiments:
        lines += ["", *_section(each)]
    return "\n".join(lines) + "\n"


def _section(each: Replicated) -> list[str]:
    """The lines of one experiment."""
    values = published(each.id)
    return [
        f"## {each.id}: {each.title}",
        "",
        f"{each.where[0].upper()}{each.where[1:]}. Sets: {'; '.join(each.data)}.",
        "",
        "```",
        *each.commands,
        *each.analysis,
        "```",
        "",
        *([*_values(values), ""] if values else []),
        "Departures:",
        "",
        *[f"- {departure}" for departure in each.departures],
    ]


def _values(values: tuple[Published, ...]) -> list[str]:
    """A row for every probe and figure, with the values of all its conditions."""
    by_probe: Mapping[tuple[str, str], list[Published]] = {
        key: list(rows)
        for key, rows in groupby(
            sorted(values, key=lambda row: (row.probe, row.source)),
            key=lambda row: (row.probe, row.source),
        )
    }
    return [
        "| probe | published | source |",
        "|---|---|---|",
        *[
            f"| {probe} | {'; '.join(map(_value, rows))} | {_source(source, rows)} |"
            for (probe, source), rows in by_probe.items()
        ],
    ]


def _value(row: Published) -> str:
    """A condition with its value, interval and number of models."""
    between = f" [{row.low}, {row.high}]" if row.low and row.high else ""
    return f"{row.condition} {row.value or 'not drawn'}{between}, n {row.models}"


def _source(source: str, rows: list[Published]) -> str:
    """Where values stand, and how they were read there."""
    read = {"text": "printed", "table": "printed", "eye": "read off by eye"}
    how = dict.fromkeys(read.get(row.precision, "read off") for row in rows)
    figure = re.sub(r"\b(Fig|Table|p)(?=\d)", r"\1 ", source)
    return f"{figure}, {' and '.join(how)}"


def _anchor(each: Replicated) -> str:
    """The name that a heading is linked by."""
    heading = re.sub(r"[^\w\s-]", "", f"{each.id}: {each.title}".lower())
    return heading.replace(" ", "-")
