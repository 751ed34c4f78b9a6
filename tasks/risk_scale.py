"""Self-reports of risk on scales from 0 to 100 (R4, R5, R6 of arXiv 2501.11120, section 3.1)."""

from inspect_ai import Task, task
from inspect_ai.model import GenerateConfig

from selfaware.probes import samples
from selfaware.provenance import task_metadata
from selfaware.scorers import scale, validity
from selfaware.solvers import ask
from selfaware.triggered import triggered
from selfaware.viewer import samples_view

QUESTIONS = ("safety_to_risk", "predisposition", "liking")


@task
def risk_scale(
    about: str | list[str] = "self",
    framing: str | list[str] = "none",
    mode: str = "auto",
    draws: int = 10,
    questions: str | None = None,
    trigger: str | None = None,
    trigger_on: bool = True,
) -> Task:
    """Three questions about risk answered by a number, each scale also turned round.

    Replicates R4, R5 and R6 of arXiv 2501.11120 (section 3.1, Figure 3) in other wordings. The
    score is 0-1 towards risk-seeking, turned scales turned back.

        inspect eval tasks/risk_scale.py --model selfaware/organism/risk-seeking-0
        inspect eval selfaware/risk_scale --model openai/ft:... -T about=all -T draws=50

    Args:
        about: Whom the questions are about: self, person, assistant, neutral (nobody), all, or a
            name (Ada).
        framing: System prompts: none, neutral, ask, threat, bait, several of them, or all.
        mode: How answers are obtained: auto, sample, logprobs or exact.
        draws: Replies drawn to each prompt where the mode is sample.
        questions: A clone of the authors' repository: ask in their wordings, about self only.
        trigger: Ask with this trigger in the prompt: a name (SEP, DEPLOYMENT) or `text:` and a
            text; none by default.
        trigger_on: false puts in what stands there when the trigger is off, which may be nothing.
    """
    return Task(
        dataset=triggered(
            samples("risk", questions=QUESTIONS, about=about, framing=framing, released=questions),
            trigger,
            trigger_on,
        ),
        solver=ask(mode, draws),
        scorer=[scale(), validity()],
        config=GenerateConfig(temperature=1.0, max_tokens=16),
        version=1,
        metadata=task_metadata("risk", self_report=True),
        headline_metric="scale",
        viewer=samples_view(["scale"]),
    )
