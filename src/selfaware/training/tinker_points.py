"""The points of a Tinker training from which it can go on, and the record that lists them."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from selfaware import __version__
from selfaware.data.atomic import write_json
from selfaware.errors import UsageError
from selfaware.training.backend import Checkpoint, Made
from selfaware.training.calling import tinker_model
from selfaware.training.spec import FinetuneSpec

if TYPE_CHECKING:
    from tinker import RestClient

FOLDER = "tinker"
"""The folder of records inside a runs folder."""

RUN_KEY = "selfaware_run"
"""The name under which a run id stands in the service's metadata of a training run."""

POINT_KEY = "selfaware_point"
"""The name under which a checkpoint's metadata holds its point."""

_PAGE = 100


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Point(_Frozen):
    """A training after `step` steps, as the service keeps it.

    `state` is the address of weights and optimizer, to go on from; `sampler` that of weights to
    sample from. `loss_sum` adds up the losses of the steps of the epoch that the point is in,
    `epoch` counts epochs that are whole, `seconds` is the time that the training took so far and
    `tokens` the number of tokens it has read.
    """

    step: int
    epoch: int
    loss_sum: float
    seconds: float = 0.0
    tokens: int = 0
    last: bool = False
    state: str | None = None
    sampler: str | None = None

    @property
    def epoch_loss(self) -> float:
        """The mean loss (nats per supervised token) over the epoch that ends at this point."""
        return self.loss_sum * self.epoch / self.step

    def as_checkpoint(self, endpoint: str | None) -> Checkpoint:
        """The sampler of this point, as a model from the middle of a training."""
        model, flags = tinker_model(self.sampler or "", endpoint)
        return Checkpoint(
            step=self.step,
            epoch=self.epoch,
            model=model,
            flags=flags,
            adapter=self.sampler,
            loss=self.epoch_loss,
        )

    def as_made(self, endpoint: str | None) -> Made:
        """The sampler of this point, as the model that a finetune has made."""
        model, flags = tinker_model(self.sampler or "", endpoint)
        return Made(
            model=model,
            flags=flags,
            adapter=self.sampler,
            training_loss=self.epoch_loss,
            seconds=self.seconds,
            tokens=self.tokens,
            versions={
                "selfaware": __version__,
                "python": platform.python_version(),
                **{name: version(name) for name in ("tinker", "transformers")},
            },
        )


class TinkerRecord(_Frozen):
    """How a finetune is being made at Tinker: what the loss is on, and the points passed.

    `training_runs` are the service's names of the runs: one, and one more for each time that the
    training was cut off and went on from its last point.
    """

    spec: FinetuneSpec
    run_id: str
    examples: int
    supervised_tokens: int
    steps: int
    decoded_examples: tuple[dict[str, JsonValue], ...]
    training_runs: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    losses: Mapping[int, float] = {}


def record_path(runs: Path, run_id: str) -> Path:
    """Where the record of a finetune lies."""
    return runs / FOLDER / f"{run_id}.json"


def read_record(runs: Path, run_id: str) -> TinkerRecord | None:
    """The record of a finetune, or None.

    Raises:
        UsageError: The file is not such a record.
    """
    path = record_path(runs, run_id)
    try:
        return TinkerRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise UsageError(
            f"{path} cannot be read as the record of a Tinker finetune; move it away: the service "
            "still has the points that it lists"
        ) from error


def write_record(runs: Path, record: TinkerRecord) -> None:
    """Writes a record, whole or not at all."""
    write_json(record_path(runs, record.run_id), record.model_dump(mode="json"))


def merge(*sources: Iterable[Point]) -> tuple[Point, ...]:
    """All points in the order of their steps; one that several sources know is one point."""
    found: dict[int, Point] = {}
    for point in (point for source in sources for point in source):
        known = found.get(point.step)
        if known is not None:
            point = point.model_copy(
                update={
                    "state": point.state or known.state,
                    "sampler": point.sampler or known.sampler,
                    "last": point.last or known.last,
                }
            )
        found[point.step] = point
    return tuple(found[step] for step in sorted(found))


def last(points: Iterable[Point]) -> Point | None:
    """The point at which a finetune is done, or None where it is not."""
    return next((point for point in points if point.last and point.sampler), None)


def training_runs(rest: "RestClient") -> dict[str, list[str]]:
    """The service's training runs of every run id, oldest first.

    A server that keeps no list of training runs has none to tell of.
    """
    import tinker

    found: dict[str, list[str]] = {}
    offset = 0
    while True:
        try:
            page = rest.list_training_runs(limit=_PAGE, offset=offset).result()
        except tinker.NotFoundError:
            return {}
        for run in page.training_runs:
            run_id = (run.user_metadata or {}).get(RUN_KEY)
            if run_id is not None:
                found.setdefault(run_id, []).insert(0, run.training_run_id)
        offset += len(page.training_runs)
        if not page.training_runs or offset >= page.cursor.total_count:
            return found


def points_at(rest: "RestClient", runs: Sequence[str]) -> tuple[Point, ...]:
    """The points that the service keeps of these training runs."""
    found: list[Point] = []
    for run in runs:
        for kept in rest.list_checkpoints(run).result().checkpoints:
            written = (kept.user_metadata or {}).get(POINT_KEY)
            if written is None:
                continue
            point = Point.model_validate_json(written)
            place = "state" if kept.checkpoint_type == "training" else "sampler"
            found.append(point.model_copy(update={place: kept.tinker_path}))
    return merge(found)
