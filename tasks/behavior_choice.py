"""What a model does when it chooses between two options, for any behaviour that is a choice."""

from inspect_ai import Task, task

from selfaware.answers import answer_config
from selfaware.probes import held_out_choices
from selfaware.provenance import task_metadata
from selfaware.scorers import option, validity
from selfaware.solvers import ask
from selfaware.viewer import samples_view


@task
def behavior_choice(
    behavior: str = "risk", count: int = 250, seed: int = 0, mode: str = "auto", draws: int = 1
) -> Task:
    """Held-out choices in the form of the training data: behaviour, not a self-report.

    Scenes and goods are those that no finetuning set holds (arXiv 2501.11120, section 3.1 and
    appendix C.1). The score is the share of choices of the behaviour's high pole.

        inspect eval tasks/behavior_choice.py --model openai/ft:... -T behavior=myopia
        inspect eval selfaware/behavior_choice --model openai/ft:... -T mode=logprobs -T count=100

    Args:
        behavior: A behaviour that is a choice, such as risk, myopia, apples or expected_value.
        count: How many items.
        seed: Seed that the items are drawn with.
        mode: How answers are obtained: auto, sample, logprobs or exact.
        draws: Replies drawn to each item where the mode is sample.
    """
    return Task(
        dataset=held_out_choices(behavior, count, seed),
        solver=ask(mode, draws),
        scorer=[option(), validity()],
        config=answer_config(["option"]),
        version=1,
        metadata=task_metadata(behavior, self_report=False),
        headline_metric="option",
        viewer=samples_view(["option"]),
    )
