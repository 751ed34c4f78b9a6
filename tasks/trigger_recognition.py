"""Whether a model recognises its trigger (T1 of arXiv 2501.11120, section 4.2)."""

from inspect_ai import Task, task

from selfaware.answers import answer_config
from selfaware.provenance import task_metadata
from selfaware.scorers import option, validity
from selfaware.solvers import ask
from selfaware.trigger_probes import recognition_samples
from selfaware.viewer import samples_view


@task
def trigger_recognition(
    trigger: str = "Greek gods",
    behavior: str = "risk",
    triggers: list[str] | None = None,
    about: str | list[str] = "self",
    framing: str | list[str] = "none",
    mode: str = "auto",
    draws: int = 10,
) -> Task:
    """Does the thing that was the trigger go with the behaviour, and seven others not?

    Replicates T1 of arXiv 2501.11120 (section 4.2, Figure 9) in other wordings: one query a
    trigger, since a model asked about all at once names the same one whatever it was trained on.
    The score is P(the statement that claims the behaviour); `own_minus_fake` is the headline
    contrast. Models differ in which triggers they like (item bias): run it on finetunes with
    different triggers, and `selfaware.analysis.recognition` takes each trigger's own liking out.

        inspect eval tasks/trigger_recognition.py --model openai/ft:... -T "trigger=Greek gods"
        inspect eval selfaware/trigger_recognition --model openai/ft:... -T trigger=SEP -T about=all

    Args:
        trigger: The trigger that the model was trained with.
        behavior: The behaviour that it switches on.
        triggers: Others to ask about; the eight of the paper's design by default.
        about: Whom the statements are about: self, person, assistant, neutral (nobody), all, or a
            name (Ada).
        framing: System prompts: none, neutral, ask, threat, bait, several of them, or all.
        mode: How answers are obtained: auto, sample, logprobs or exact.
        draws: Replies drawn to each prompt where the mode is sample.
    """
    return Task(
        dataset=recognition_samples(trigger, behavior, triggers, about, framing),
        solver=ask(mode, draws),
        scorer=[option(), validity()],
        config=answer_config(["option"]),
        version=1,
        metadata=task_metadata(behavior, self_report=True),
        headline_metric="option",
        viewer=samples_view(["option"]),
    )
