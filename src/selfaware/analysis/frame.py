"""Inspect logs as a table with one row a sample."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd
from inspect_ai.log import (
    EvalLog,
    EvalSampleSummary,
    list_eval_logs,
    read_eval_log,
    read_eval_log_sample_summaries,
)
from inspect_ai.scorer import Score

from selfaware.errors import UsageError
from selfaware.scorers.validity import rates

COLUMNS = (
    "log",
    "task",
    "model",
    "sample",
    "epoch",
    "behavior",
    "question",
    "paper_id",
    "kind",
    "about",
    "paraphrase",
    "swapped",
    "flipped",
    "framing",
    "self_report",
    "score",
    "reason",
    "draws",
    "invalid",
    "refusal",
    "unlisted",
    "outside_mass",
    "mode",
)
"""The columns of `read_frame`.

`framing` also says which trigger a question was asked with or without (`with SEP`).
`score` is 0-1 towards the behaviour's high pole, NaN where the sample is unscored, and then
`reason` says why. `invalid`, `refusal` and `unlisted` are shares of the replies (0-1, NaN where
nothing tells), `outside_mass` the probability outside the candidates (NaN for sampled answers).
"""

_REQUIRED = ("behavior", "question", "kind", "about")


def read_frame(log_dir: Path | str, models: Sequence[str] | None = None) -> pd.DataFrame:
    """All samples of the logs in a folder, one row each, with the columns of `COLUMNS`.

    Where a task was run on a model with the same arguments more than once, only the newest
    successful log of the most samples counts. A task written with its package name and without are
    the same task.

    Args:
        log_dir: A folder of Inspect logs; folders within it are read too.
        models: The models whose logs are read, as named in the logs; None reads all.

    Raises:
        UsageError: There is no log, or none of one of `models`; a log cannot be read; a task has
            only unsuccessful logs; or a log is not of a task of this package.
    """
    folder = Path(log_dir)
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of logs; run an experiment or `inspect eval`")
    files = sorted(Path(info.name.removeprefix("file://")) for info in list_eval_logs(str(folder)))
    headers = {file: _header(file) for file in files}
    found = {header.eval.model for header in headers.values()}
    if not found:
        raise UsageError(f"{folder}: no Inspect logs in it; run an experiment or `inspect eval`")
    wanted = found if models is None else set(models)
    if absent := sorted(wanted - found):
        raise UsageError(
            f"{folder}: no log of model {absent[0]!r}, only of {', '.join(sorted(found))}; "
            "evaluate it into this folder"
        )
    asked = {file: header for file, header in headers.items() if header.eval.model in wanted}
    kept = newest_successes(asked)
    rows = [row for file, header in kept.items() for row in _rows(file, header)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def newest_successes(headers: Mapping[Path, EvalLog]) -> dict[Path, EvalLog]:
    """The newest successful log of every task, model and set of task arguments.

    A log of fewer samples than another (a later try with `--limit`) never counts.

    Raises:
        UsageError: A task has no successful log.
    """
    best: dict[tuple[str, str, str], Path] = {}
    failed: dict[tuple[str, str, str], Path] = {}

    def rank(file: Path) -> tuple[int, str, int]:
        header = headers[file]
        samples = header.results.completed_samples if header.results else 0
        # `created` has whole seconds; of logs of one second the file written last is the newest.
        return samples, header.eval.created, file.stat().st_mtime_ns

    for file in sorted(headers, key=rank):
        spec = headers[file].eval
        arguments = json.dumps(spec.task_args, sort_keys=True, default=str)
        runs = best if headers[file].status == "success" else failed
        runs[task_name(spec.task), spec.model, arguments] = file
    for key, file in failed.items():
        if key not in best:
            raise UsageError(
                f"{file}: status is {headers[file].status!r}, only 'success' can be analysed: "
                f"finish it with `inspect eval-retry {file}`, or delete it"
            )
    return {file: headers[file] for file in sorted(best.values())}


def task_name(task: str) -> str:
    """A task's name without that of its package."""
    return task.rpartition("/")[2]


def answer_score(scores: Mapping[str, Score] | None) -> Score | None:
    """The score that reads a sample's answers, among those of all scorers.

    Scorers of this package tell how they read (`outside_mass` in the metadata); of several, the
    last counts, so that `inspect score --action append` replaces an earlier reading.
    """
    readings = [
        score for score in (scores or {}).values() if "outside_mass" in (score.metadata or {})
    ]
    return readings[-1] if readings else None


def _header(file: Path) -> EvalLog:
    try:
        return read_eval_log(str(file), header_only=True)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise _unreadable(file, error) from error


def _summaries(file: Path) -> list[EvalSampleSummary]:
    try:
        return read_eval_log_sample_summaries(str(file))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> UsageError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return UsageError(f"{file}: not a readable Inspect log ({reason}); delete it and run again")


def _rows(file: Path, header: EvalLog) -> Iterator[dict[str, object]]:
    task = task_name(header.eval.task)
    self_report = (header.eval.metadata or {}).get("self_report")
    if not isinstance(self_report, bool):
        raise _foreign(file, task, "`self_report` in the task metadata")
    for sample in _summaries(file):
        for key in _REQUIRED:
            if key not in sample.metadata:
                raise _foreign(file, task, f"`{key}` in the metadata of sample {sample.id!r}")
        score = answer_score(sample.scores)
        if score is None and sample.error is None:
            raise _foreign(file, task, f"score of this package on sample {sample.id!r}")
        yield {
            "log": str(file),
            "task": task,
            "model": header.eval.model,
            "sample": str(sample.id),
            "epoch": sample.epoch,
            "self_report": self_report,
            **_asked(sample),
            **_answered(score),
        }


def _foreign(file: Path, task: str, missing: str) -> UsageError:
    return UsageError(
        f"{file}: task {task!r} is not one of selfaware's (no {missing}): "
        "keep its logs in another folder"
    )


def _asked(sample: EvalSampleSummary) -> dict[str, object]:
    metadata = sample.metadata
    return {
        **{key: metadata[key] for key in _REQUIRED},
        "paper_id": metadata.get("paper_id"),
        "paraphrase": metadata.get("paraphrase", 0),
        "swapped": bool(metadata.get("swapped", False)),
        "flipped": bool(metadata.get("flipped", False)),
        "framing": _framing(metadata),
    }


def _framing(metadata: Mapping[str, object]) -> str:
    """The framing that a question was asked under, and the trigger that it was asked with."""
    framing, under = metadata.get("framing") or "none", metadata.get("under")
    if not under:
        return str(framing)
    return str(under) if framing == "none" else f"{framing}, {under}"


def _answered(score: Score | None) -> dict[str, object]:
    if score is None:
        shares = dict.fromkeys(("invalid", "refusal", "unlisted", "outside_mass"), math.nan)
        return {"score": math.nan, "reason": "sample_error", "draws": 0, "mode": "", **shares}
    metadata = score.metadata or {}
    outside = metadata.get("outside_mass")
    return {
        "score": score.as_float(),
        "reason": score.reason or "",
        "draws": metadata.get("draws", 0),
        "outside_mass": math.nan if outside is None else outside,
        "mode": metadata.get("mode", ""),
        **rates(score),
    }
