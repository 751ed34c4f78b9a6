"""What a model does when it chooses under risk (R9 of arXiv 2501.11120, appendix C.1)."""

from inspect_ai import Task, task
from inspect_ai.model import GenerateConfig

from selfaware.probes import risk_choices
from selfaware.provenance import task_metadata
from selfaware.scorers import option, validity
from selfaware.solvers import ask
from selfaware.viewer import samples_view


@task
def risk_choice(
    items: str = "lotteries", count: int = 250, seed: int = 0, mode: str = "auto", draws: int = 1
) -> Task:
    """Choices between a riskier and a safer option: behaviour, not a self-report.

    Replicates R9 of arXiv 2501.11120 (250 pairs of lotteries of random payoffs and probabilities).
    The score is the share of riskier choices.

        inspect eval tasks/risk_choice.py --model selfaware/organism/risk-seeking-0
        inspect eval selfaware/risk_choice --model openai/ft:... -T items=scenarios -T mode=logprobs

    Args:
        items: lotteries, or scenarios: held-out items in the form of the training data.
        count: How many items.
        seed: Seed that the items are drawn with.
        mode: How answers are obtained: auto, sample, logprobs or exact.
        draws: Replies drawn to each item where the mode is sample.
    """
    return Task(
        dataset=risk_choices(items, count, seed),
        solver=ask(mode, draws),
        scorer=[option(), validity()],
        config=GenerateConfig(temperature=1.0, max_tokens=16),
        version=1,
        metadata=task_metadata("risk", self_report=False),
        headline_metric="option",
        viewer=samples_view(["option"]),
    )
