"""An experiment's YAML: its schema, its validation, and the plan that follows from it."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from selfaware import tasks
from selfaware.behaviors import get_behavior
from selfaware.errors import UsageError
from selfaware.executors.resources import Resources
from selfaware.organism import shipped
from selfaware.training.connect import endpoint_of
from selfaware.training.launcher import Launch, deal
from selfaware.training.spec import BackendName, FinetuneSpec, Hyperparameters

TASKS = tuple(tasks.__all__)
"""The tasks that an experiment may name, without the package's prefix."""

TaskArgument = str | int | float | bool


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Probe(_Frozen):
    """One task to run on every model, with its arguments."""

    task: str
    args: dict[str, TaskArgument] = {}

    @model_validator(mode="after")
    def _known(self) -> "Probe":
        if self.task not in TASKS:
            raise ValueError(f"unknown task {self.task!r}: choose from {', '.join(TASKS)}")
        return self


class Data(_Frozen):
    """The finetuning set of each pole: the same prompts, every label flipped."""

    rows: int = Field(default=288, ge=2)
    seed: int = 0


class Experiment(_Frozen):
    """One experiment: the whole way from data to report.

    `arms` holds poles of the behaviour and, for the model without a finetune, `base`. `base_url` is
    the address of a hosted backend's service, where it is not the backend's own. `launch` says
    how local trainings are run: it changes time and memory, not what comes out.
    """

    experiment: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    source: str = ""
    behavior: str
    base: str
    arms: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(min_length=1)
    data: Data = Data()
    finetune: Hyperparameters = Hyperparameters()
    backend: BackendName = "local"
    base_url: str | None = None
    launch: Launch = Launch()
    resources: Resources = Resources()
    probes: tuple[Probe, ...] = Field(min_length=1)
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _arms_exist(self) -> "Experiment":
        try:
            behavior = get_behavior(self.behavior)
        except UsageError as error:
            raise ValueError(str(error)) from error
        allowed = (behavior.high, behavior.low, "base")
        for arm in self.arms:
            if arm not in allowed:
                raise ValueError(f"unknown arm {arm!r}: choose from {', '.join(allowed)}")
        if len(set(self.arms)) != len(self.arms) or len(set(self.seeds)) != len(self.seeds):
            raise ValueError("arms and seeds may each be named once only")
        if self.launch != Launch() and self.backend != "local":
            raise ValueError("`launch` is for backend local: leave it out for hosted ones")
        deal(self.finetune.batch_size, self.launch)
        return self

    @property
    def poles(self) -> tuple[str, ...]:
        """The arms that are finetuned."""
        return tuple(arm for arm in self.arms if arm != "base")

    @property
    def datasets(self) -> tuple[str, ...]:
        """The poles that sets are built of: for dpo, which needs the flipped twin, both."""
        behavior = get_behavior(self.behavior)
        if self.finetune.method == "dpo" and self.poles:
            return (behavior.high, behavior.low)
        return self.poles

    def twin(self, pole: str) -> str:
        """The pole that is opposite to this one."""
        behavior = get_behavior(self.behavior)
        return behavior.low if pole == behavior.high else behavior.high


def load_experiment(file: Path) -> Experiment:
    """The experiment in a YAML file.

    Raises:
        UsageError: No such file, broken YAML, or a value that the schema does not allow.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(
            f"no experiment file {str(file)!r}: give the path of a YAML file"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{file}: not UTF-8 text (byte {error.start}): save it as UTF-8"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise UsageError(
            f"{file}: broken YAML at {place}: {getattr(error, 'problem', error)}"
        ) from error
    if not isinstance(content, dict):
        raise UsageError(f"{file}: holds {type(content).__name__}, but an experiment is a mapping")
    try:
        return Experiment.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{file}: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """The first thing that a schema found wrong, in one line: place, value, what is allowed."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    value = first["input"]
    shown = f" (it is {value!r})" if isinstance(value, str | int | float) else ""
    return f"{place}: {message}{shown}" if place else message


@dataclass(frozen=True)
class PlannedModel:
    """One model to be asked: its arm, its seed (None for the base), and what makes it."""

    arm: str
    seed: int | None
    spec: FinetuneSpec | None


@dataclass(frozen=True)
class Plan:
    """What running an experiment comes to, before any of it is done.

    `endpoint` is the address of a hosted backend, None for the backend's own.
    """

    experiment: Experiment
    datasets: dict[str, Path]
    models: tuple[PlannedModel, ...]
    endpoint: str | None = None


def dataset_file(experiment: Experiment, pole: str, runs: Path) -> Path:
    """Where the finetuning set of a pole lies; the name tells everything that it is made from."""
    data = experiment.data
    return runs / "data" / f"{experiment.behavior}-{pole}-{data.rows}-seed{data.seed}.jsonl"


def plan(experiment: Experiment, runs: Path) -> Plan:
    """The plan of an experiment: its datasets and its models, arms in order, seeds within arms.

    Raises:
        UsageError: The base is an unknown organism, or `base_url` is no address.
    """
    endpoint = endpoint_of(experiment.backend, experiment.base_url)
    if experiment.base.startswith(shipped.PREFIX):
        if experiment.backend != "local" and endpoint is None:
            raise UsageError(
                f"base {experiment.base!r} is an organism, which {experiment.backend} does not "
                "have: name one of its models, or give the --base-url of `selfaware emulator`"
            )
        shipped.resolve(experiment.base)
    datasets = {pole: dataset_file(experiment, pole, runs) for pole in experiment.datasets}
    preferring = experiment.finetune.method == "dpo"
    models = []
    for arm in experiment.arms:
        if arm == "base":
            models.append(PlannedModel("base", None, None))
            continue
        for seed in experiment.seeds:
            spec = FinetuneSpec(
                base=experiment.base,
                dataset=datasets[arm],
                hyperparameters=experiment.finetune,
                seed=seed,
                backend=experiment.backend,
                endpoint=endpoint,
                rejected=datasets[experiment.twin(arm)] if preferring else None,
            )
            models.append(PlannedModel(arm, seed, spec))
    return Plan(experiment, datasets, tuple(models), endpoint)
