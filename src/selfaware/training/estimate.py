"""What an experiment's finetunes come to before any is begun: jobs, tokens, cost and time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.backend import FINAL
from selfaware.training.entry import Entry
from selfaware.training.prices import Price, price_of
from selfaware.training.spec import FinetuneSpec, not_taken
from selfaware.training.standing import MADE_HERE
from selfaware.training.tokens import Counted, count_tokens


@dataclass(frozen=True)
class Job:
    """One finetune of a plan.

    `standing` is `new` (it will be made), `made`, `in progress`, or the state that it ended in and
    stays in: `failed`, `cancelled`, `blocked`. `tokens` are those of all epochs.
    """

    spec: FinetuneSpec
    standing: str
    counted: Counted
    price: Price | None

    @property
    def tokens(self) -> int:
        """The tokens that the finetune is trained on."""
        return self.counted.tokens * self.spec.hyperparameters.epochs


@dataclass(frozen=True)
class Estimate:
    """What a plan's finetunes come to. `seconds` is the time of the new ones, one after another.

    `seconds` is None, and `earlier` 0, where no finetune of the same base was made before.
    """

    jobs: tuple[Job, ...]
    seconds: float | None
    earlier: int

    @property
    def new(self) -> tuple[Job, ...]:
        """The finetunes that will be made."""
        return tuple(job for job in self.jobs if job.standing == "new")

    @property
    def standings(self) -> Mapping[str, int]:
        """How many finetunes stand how."""
        return Counter(job.standing for job in self.jobs)

    @property
    def cost(self) -> tuple[float, float] | None:
        """USD for the new finetunes, at least and at most; None where a price is not known."""
        costs = [job.price.cost(job.tokens) for job in self.new if job.price is not None]
        if len(costs) < len(self.new):
            return None
        return sum(low for low, _ in costs), sum(high for _, high in costs)

    @property
    def not_taken(self) -> tuple[str, ...]:
        """The hyperparameters that were given and that the backend chooses itself."""
        return tuple(
            sorted(
                {
                    n
                    for job in self.jobs
                    for n in not_taken(job.spec.hyperparameters, job.spec.backend)
                }
            )
        )


def estimate(
    specs: Sequence[FinetuneSpec], runs: Path, retry: bool = False, price: float | None = None
) -> Estimate:
    """What finetunes come to; nothing is begun, and no service is asked.

    Args:
        specs: The finetunes; their datasets lie there.
        runs: The folder of the run registry.
        retry: Whether those that a service failed at are submitted again.
        price: USD for a million tokens of training, in place of the table's.

    Raises:
        UsageError: A base or a dataset that is not there, or a row that does not fit.
    """
    listed = {entry.id: entry for entry in registry.entries(runs)}
    counts: dict[tuple[object, ...], Counted] = {}
    jobs = []
    for spec in {spec.run_id: spec for spec in specs}.values():
        key = (
            spec.dataset,
            spec.rejected,
            spec.base,
            spec.backend,
            spec.hyperparameters.max_length,
        )
        if key not in counts:
            counts[key] = count_tokens(spec)
        known = price_of(spec) if price is None else Price(price, price, None)
        standing = _standing(listed.get(spec.run_id), retry)
        jobs.append(Job(spec, standing, counts[key], known))
    rates = [rate for spec in specs[:1] for rate in _rates(list(listed.values()), spec)]
    work = sum(
        _work(job.counted.rows, job.spec.hyperparameters.epochs)
        for job in jobs
        if job.standing == "new"
    )
    return Estimate(tuple(jobs), median(rates) * work if rates else None, len(rates))


def check_cost(made: Estimate, most: float) -> None:
    """Holds an estimate against the most that may be spent (USD).

    Raises:
        UsageError: It may cost more, or a price is not known.
    """
    unpriced = next((job.spec for job in made.new if job.price is None), None)
    if unpriced is not None:
        where = unpriced.endpoint or unpriced.backend
        raise UsageError(
            f"--max-cost {most:g}: no price is known of {unpriced.base} at {where}: give one with "
            "--price (USD for a million tokens of training); nothing was submitted"
        )
    cost = made.cost
    assert cost is not None
    if cost[1] > most:
        raise UsageError(
            f"--max-cost {most:g}: {len(made.new)} new finetunes may cost {cost[1]:.2f} USD: allow "
            "more, or take fewer seeds (--seeds N); nothing was submitted"
        )


def _standing(entry: Entry | None, retry: bool) -> str:
    if entry is None:
        return "new"
    if entry.state == "succeeded":
        return "made"
    if entry.state == "blocked":
        return "blocked"
    if entry.backend in MADE_HERE:
        return "new"
    if entry.state in FINAL:
        return "new" if retry else entry.state
    return "in progress"


def _rates(listed: Sequence[Entry], spec: FinetuneSpec) -> list[float]:
    """Seconds for a row and epoch, of each finetune of this base that was made before."""
    rates = []
    for entry in listed:
        same = (entry.base_sha256, entry.backend, entry.endpoint) == (
            spec.base_sha256,
            spec.backend,
            spec.endpoint,
        )
        epochs = entry.hyperparameters.get("epochs")
        if same and entry.checkpoint_of is None and entry.seconds and entry.rows:
            rates.append(
                entry.seconds / _work(entry.rows, epochs if isinstance(epochs, int) else 1)
            )
    return rates


def _work(rows: int, epochs: int) -> int:
    return rows * epochs
