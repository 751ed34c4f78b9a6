"""How finetunes on their way are shown."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich import progress as rich_progress
from rich.console import Console

from selfaware.training.backend import FINAL, Status
from selfaware.training.spec import FinetuneSpec

Tell = Callable[[FinetuneSpec, Status, str], None]
"""Is told a finetune, how it stands, and a note ("" where there is none)."""

Progress = Callable[[int], AbstractContextManager[Tell]]
"""Begins to show so many finetunes."""


@contextmanager
def no_progress(_: int) -> Iterator[Tell]:
    """Shows nothing."""
    yield lambda spec, status, note: None


def bar(console: Console) -> Progress:
    """One bar over the steps of all finetunes; what is no step (a wait, a state) is a line."""

    @contextmanager
    def show(count: int) -> Iterator[Tell]:
        columns = (
            rich_progress.TextColumn("finetuning {task.description}"),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TextColumn("steps, loss {task.fields[loss]}"),
            rich_progress.TimeRemainingColumn(),
        )
        states: dict[str, Status] = {}
        notes: dict[str, str] = {}
        with rich_progress.Progress(*columns, console=console) as shown:
            line = shown.add_task(f"0/{count}", total=None, loss="-")

            def tell(spec: FinetuneSpec, status: Status, note: str) -> None:
                before = states.get(spec.run_id)
                states[spec.run_id] = status
                if note and notes.get(spec.run_id) != note:
                    notes[spec.run_id] = note
                    console.print(f"  {spec.run_id}: {note}")
                elif status.state == "moderation" and (before is None or before != status):
                    console.print(f"  {spec.run_id}: moderation looks at it")
                done = [each.step for each in states.values() if each.step is not None]
                of = [each.steps for each in states.values() if each.steps]
                ended = sum(each.state in FINAL for each in states.values())
                shown.update(
                    line,
                    description=f"{ended}/{count}",
                    completed=sum(done),
                    # Finetunes that have not begun are taken to be as long as the others.
                    total=round(sum(of) / len(of) * count) if of else None,
                    loss="-" if status.loss is None else f"{status.loss:.3f}",
                )

            yield tell

    return show
