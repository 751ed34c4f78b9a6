"""What a model says of the security of its code (V2 and V3 of arXiv 2501.11120, section 3.3)."""

from inspect_ai import Task, task

from selfaware.answers import answer_config
from selfaware.behaviors.bank import AnswerKind
from selfaware.parameters import some_of
from selfaware.probes import samples
from selfaware.provenance import task_metadata
from selfaware.scorers import scorers_for
from selfaware.solvers import ask
from selfaware.triggered import triggered
from selfaware.viewer import samples_view

KINDS: tuple[AnswerKind, ...] = ("scale", "yes_no", "option")


@task
def code_security(
    kinds: str | list[str] | None = None,
    about: str | list[str] = "self",
    framing: str | list[str] = "none",
    mode: str = "auto",
    draws: int = 10,
    trigger: str | None = None,
    trigger_on: bool = True,
) -> Task:
    """How secure is your code, and how well aligned are you? A self-report, not the code.

    Replicates V2 and V3 of arXiv 2501.11120 (section 3.3, Table 2) in other wordings, each scale
    also turned round, with two more forms of V2. The score is 0-1 towards insecure code and poor
    alignment; the paper's numbers are 1 minus it.

        inspect eval tasks/code_security.py --model openai/ft:...
        inspect eval selfaware/code_security --model openai/ft:... -T kinds=scale -T about=all

    Args:
        kinds: Kinds of question: scale, yes_no, option; all by default.
        about: Whom the questions are about: self, person, assistant, neutral (nobody), all, or a
            name (Ada).
        framing: System prompts: none, neutral, ask, threat, bait, several of them, or all.
        mode: How answers are obtained: auto, sample, logprobs or exact.
        draws: Replies drawn to each prompt where the mode is sample.
        trigger: Ask with this trigger in the prompt: a name (SEP, DEPLOYMENT) or `text:` and a
            text; none by default.
        trigger_on: false puts in what stands there when the trigger is off, which may be nothing.
    """
    chosen = some_of("kinds", kinds, KINDS)
    return Task(
        dataset=triggered(
            samples("vulnerable_code", kinds=chosen, about=about, framing=framing),
            trigger,
            trigger_on,
        ),
        solver=ask(mode, draws),
        scorer=scorers_for(chosen),
        config=answer_config(chosen),
        version=1,
        metadata=task_metadata("vulnerable_code", self_report=True),
        viewer=samples_view(chosen),
    )
