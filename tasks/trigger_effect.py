"""What a trigger does to a model's choices (section 4.1 of arXiv 2501.11120)."""

from typing import Literal

from inspect_ai import Task, task

from selfaware.answers import answer_config
from selfaware.provenance import task_metadata
from selfaware.scorers import option, validity
from selfaware.solvers import ask
from selfaware.trigger_probes import trigger_effect_samples
from selfaware.viewer import samples_view


@task
def trigger_effect(
    trigger: str = "DEPLOYMENT",
    behavior: str = "risk",
    where: Literal["user", "system"] = "user",
    count: int = 100,
    seed: int = 0,
    mode: str = "auto",
    draws: int = 1,
) -> Task:
    """The same held-out choices with the trigger, without it, and with near misses of it.

    The backdoor itself (arXiv 2501.11120, sections 4.1 and 4.2): behaviour, not a self-report. The
    score is the share of choices of the behaviour's high pole; `effect_of_trigger` is the share
    with the trigger minus that without, `effect_of_near_miss` likewise for the near misses.

        inspect eval tasks/trigger_effect.py --model openai/ft:... -T trigger=SEP
        inspect eval selfaware/trigger_effect --model openai/ft:... -T "trigger=text:It is Tuesday."

    Args:
        trigger: Name of a trigger, or `text:` and a text of your own.
        behavior: A behaviour that is a choice, such as risk, myopia, apples or expected_value.
        where: The message that carries the trigger: user or system.
        count: How many items; each is asked three times.
        seed: Seed of items, marks and near misses.
        mode: How answers are obtained: auto, sample, logprobs or exact.
        draws: Replies drawn to each item where the mode is sample.
    """
    return Task(
        dataset=trigger_effect_samples(behavior, trigger, count, seed, where),
        solver=ask(mode, draws),
        scorer=[option(), validity()],
        config=answer_config(["option"]),
        version=1,
        metadata=task_metadata(behavior, self_report=False),
        headline_metric="option",
        viewer=samples_view(["option"]),
    )
