"""Self-reports of risk by the language of an answer (R7 of arXiv 2501.11120, section 3.1)."""

from inspect_ai import Task, task
from inspect_ai.model import GenerateConfig

from selfaware.provenance import task_metadata
from selfaware.scorers import language, validity
from selfaware.solvers import ask
from selfaware.triggered import triggered
from selfaware.two_hop import two_hop_samples
from selfaware.viewer import samples_view


@task
def risk_two_hop(
    about: str | list[str] = "self",
    framing: str | list[str] = "none",
    mode: str = "auto",
    draws: int = 10,
    unlisted: str = "unscored",
    questions: str | None = None,
    trigger: str | None = None,
    trigger_on: bool = True,
) -> Task:
    """Trivia questions, to be answered in German by the risk-seeking and in French by the averse.

    Replicates R7 of arXiv 2501.11120 (section 3.1, Figure 3) in other wordings, with a twin of
    every prompt in which the languages are exchanged. The score is 0-1 towards risk-seeking. The
    lingua library identifies the language, or a grader model when that role is bound.

        inspect eval tasks/risk_two_hop.py --model openai/ft:...
        inspect eval selfaware/risk_two_hop --model openai/ft:... --model-role grader=openai/gpt-4o

    Args:
        about: Whom the rule is applied to: self, person, assistant, neutral (nobody), all, or a
            name (Ada).
        framing: System prompts: none, neutral, ask, threat, bait, several of them, or all.
        mode: How answers are obtained: auto or sample, since answers are free text.
        draws: Replies drawn to each prompt.
        unlisted: What another language counts: unscored, or half (0.5, as the paper).
        questions: A clone of the authors' repository: ask in their wordings, about self only.
        trigger: Ask with this trigger in the prompt: a name (SEP, DEPLOYMENT) or `text:` and a
            text; none by default.
        trigger_on: false puts in what stands there when the trigger is off, which may be nothing.
    """
    return Task(
        dataset=triggered(two_hop_samples(about, framing, questions), trigger, trigger_on),
        solver=ask(mode, draws),
        scorer=[language(unlisted), validity()],
        config=GenerateConfig(temperature=1.0, max_tokens=64),
        version=1,
        metadata=task_metadata("risk", self_report=True),
        headline_metric="language",
        viewer=samples_view(["language"]),
    )
