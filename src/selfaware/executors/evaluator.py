"""The evaluating process: `python -m selfaware.executors.evaluator`, orders by its input."""

import os
from typing import NoReturn

from selfaware.errors import UsageError
from selfaware.executors.evaluation import Evaluation, ask
from selfaware.training.channel import Tell, listen, teller
from selfaware.training.jobs import Done, Refused
from selfaware.training.launcher import CORES, cores


def main() -> NoReturn:
    """Asks what is ordered by standard input; see `selfaware.training.channel`."""
    tell = teller()
    orders = listen(Evaluation.model_validate_json)
    if CORES in os.environ:
        os.environ["OMP_NUM_THREADS"] = str(cores())  # torch is not imported yet
    while True:
        order = orders.get()
        try:
            carry_out(order, tell)
        except UsageError as error:
            tell(Refused(id=order.id, message=str(error)))


def carry_out(order: Evaluation, tell: Tell) -> None:
    """Asks the models of one order. A base that an earlier order had loaded is still there.

    Raises:
        UsageError: A task did not end in success.
    """
    os.environ["SELFAWARE_RUNS"] = str(order.runs)
    ask(order.probes, order.models, order.logs / order.id, display="none")
    tell(Done(id=order.id))


if __name__ == "__main__":
    main()
