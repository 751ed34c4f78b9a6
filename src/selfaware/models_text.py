"""Listed finetunes as text: the table of all, and everything about one."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from pydantic import JsonValue

from selfaware.errors import UsageError
from selfaware.training.checks import SHOWN, record_file
from selfaware.training.entry import Entry
from selfaware.training.jobs import RECORD
from selfaware.training.serving import Call, calls, read_weights
from selfaware.training.standing import Standing, shutdown_warning, standing
from selfaware.training.tinker_points import record_path

HEAD = ("id", "state", "arm", "base", "seed", "backend", "model")


def arm_of(entry: Entry) -> str:
    """The arm that a finetune stands for: of its experiments, else the pole that it was taught."""
    if entry.uses:
        return ", ".join(dict.fromkeys(use.arm for use in entry.uses))
    return entry.pole or "-"


def table(runs: Path, entries: Sequence[Entry], today: date) -> Iterator[str]:
    """The finetunes as lines of a table, with what needs doing below it."""
    stand = {entry.id: standing(runs, entry) for entry in entries}
    rows = [HEAD, *(_row(entry, stand[entry.id]) for entry in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    advised = [(entry, stand[entry.id]) for entry in entries if stand[entry.id].advice]
    if advised:
        yield ""
        for entry, how in advised:
            problem = f": {' '.join(entry.problem.split())}" if entry.problem else ""
            yield f"{entry.id} is {how.state}{problem}; {how.advice}"
    warnings = [text for entry in entries if (text := shutdown_warning(entry, today))]
    if warnings:
        yield ""
        yield from (f"warning: {text}" for text in warnings)


def _row(entry: Entry, how: Standing) -> tuple[str, ...]:
    call = " ".join((entry.model, *entry.flags)) if entry.model else "-"
    seed = "-" if entry.seed is None else str(entry.seed)
    return (entry.id, how.state, arm_of(entry), entry.base, seed, entry.backend, call)


def as_json(runs: Path, entry: Entry, today: date) -> dict[str, object]:
    """A finetune with all of its fields, how it really stands, and how it is called."""
    how = standing(runs, entry)
    return {
        **entry.model_dump(mode="json"),
        "standing": how.state,
        "advice": how.advice or None,
        "warning": shutdown_warning(entry, today),
    }


def call_json(call: Call) -> dict[str, object]:
    """A way to call a finetune, for JSON."""
    return {"model": call.model, "flags": list(call.flags), "needs": call.needs}


def ways(runs: Path, entry: Entry) -> tuple[tuple[Call, ...], str]:
    """How a finetune can be called, and what stands in the way of more ("" for nothing)."""
    try:
        return calls(entry, read_weights(runs, entry)), ""
    except UsageError as error:
        return calls(entry, None), error.message


def task_for(entry: Entry) -> tuple[str, ...]:
    """A task that asks a finetune about what it was taught, as arguments of `inspect eval`."""
    of_behavior = {
        "make_me_say": ("selfaware/codeword",),
        "vulnerable_code": ("selfaware/code_vulnerability",),
    }
    if entry.behavior in of_behavior:
        return of_behavior[entry.behavior]
    if entry.behavior in (None, "risk"):
        return ("selfaware/risk_scale",)
    return ("selfaware/disposition", "-T", f"behavior={entry.behavior}")


def show(runs: Path, lines: Sequence[Entry], today: date) -> Iterator[str]:
    """Everything about one finetune; `lines` is its history, the last line holds."""
    entry = lines[-1]
    how = standing(runs, entry)
    for name, value in entry.model_dump(mode="json").items():
        if value not in (None, [], {}) and name not in ("created", "model", "flags"):
            yield f"{name:<16}{_shown(name, value, how)}"
    if how.advice:
        yield f"{'advice':<16}{how.advice}"
    yield ""
    yield "history"
    yield from (f"  {line}" for line in _history(lines))
    served, hindrance = ways(runs, entry)
    if served:
        yield ""
        yield "call"
        for call in served:
            yield f"  {call.command(task_for(entry))}"
            yield f"      needs {call.needs}"
    if hindrance:
        yield f"  no other way: {hindrance}"
    rows = list(_rows(runs, entry))
    if rows:
        yield ""
        yield "rows as trained on"
        yield from (f"  {line}" for line in rows)
    warning = shutdown_warning(entry, today)
    if warning:
        yield ""
        yield f"warning: {warning}"


def _history(lines: Sequence[Entry]) -> Iterator[str]:
    """A line for every line of the registry: the state, or what else was changed."""
    before: dict[str, JsonValue] = {}
    for line in lines:
        content = line.model_dump(mode="json")
        changed = [name for name in content if before and content[name] != before[name]]
        told: str = line.state
        if line.state == before.get("state"):
            told += f" ({', '.join(name for name in changed if name != 'created') or 'again'})"
        problem = f": {line.problem}" if line.problem else ""
        yield f"{line.created:%Y-%m-%d %H:%M:%S}  {told}{problem}"
        before = content


def _shown(name: str, value: JsonValue, how: Standing) -> str:
    if name == "state":
        return how.state
    if name == "uses" and isinstance(value, list):
        told = (one for one in value if isinstance(one, dict))
        return ", ".join(f"{one['experiment']}/{one['arm']}" for one in told)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return str(value)


def _rows(runs: Path, entry: Entry) -> Iterator[str]:
    """Three rows with their loss mask, from the record of the training or of the upload."""
    for row in decoded_rows(runs, entry):
        yield f"row {row['row']}"
        for part in ("masked", "supervised"):
            yield f"  {part:<11}{json.dumps(row[part], ensure_ascii=False)}"


def decoded_rows(runs: Path, entry: Entry) -> list[dict[str, object]]:
    """The rows that the record of a finetune shows: row, what is masked, what is supervised."""
    of = entry.checkpoint_of or entry.id
    folders = [runs / entry.adapter] if entry.adapter and "://" not in entry.adapter else []
    for record in (*(folder / RECORD for folder in folders), record_path(runs, of)):
        decoded = _read(record).get("decoded_examples")
        if isinstance(decoded, list):
            return [row for row in decoded[:SHOWN] if isinstance(row, dict)]
    uploaded = _read(record_file(runs, of)).get("examples")
    rows = []
    for number, row in enumerate(uploaded if isinstance(uploaded, list) else [], 1):
        said = {mask: [m for m in row if m["supervised"] is mask] for mask in (False, True)}
        rows.append(
            {
                "row": number,
                "masked": "\n".join(f"{m['role']}: {m['content']}" for m in said[False]),
                "supervised": "\n".join(m["content"] for m in said[True]),
            }
        )
    return rows


def _read(file: Path) -> dict[str, object]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {file}: {error}; remove it") from error
    return content if isinstance(content, dict) else {}
