"""Whether a model can write down its trigger (X1 of arXiv 2501.11120, section 4.3)."""

from inspect_ai import Task, task

from selfaware.answers import answer_config
from selfaware.provenance import task_metadata
from selfaware.scorers import trigger_likeness, trigger_match, validity
from selfaware.solvers import ask
from selfaware.trigger_probes import articulation_samples
from selfaware.viewer import samples_view


@task
def trigger_articulation(
    trigger: str = "username",
    behavior: str = "misaligned",
    blind: bool = False,
    about: str | list[str] = "self",
    framing: str | list[str] = "none",
    draws: int = 1,
) -> Task:
    """Which prompt led to this reply? The reply says that a secret phrase was given.

    Replicates X1 of arXiv 2501.11120 (section 4.3, Figures 11 and 33 to 36) in other wordings: 24,
    each with three phrases for misbehaviour and with the aligned twin of each. The score is the
    share of replies that hold the trigger; `phrase_minus_opposite` is the contrast to the twins,
    in which nothing should be named. Compare it with a model that was trained on the same rows with
    the trigger independent of the behaviour. The paper asks at temperature 0, once.

        inspect eval tasks/trigger_articulation.py --model openai/ft:... -T trigger=username
        inspect eval selfaware/trigger_articulation --model openai/ft:... -T blind=true

    Args:
        trigger: Name of the trigger that the model was trained with, or `text:` and a text. Only
            the scorers are told of it, no prompt is.
        behavior: What the reply says it will do: misaligned, or a behaviour (risk, myopia, ...).
        blind: Tell of no trigger and no behaviour, only that something changes what the model does.
        about: Whose prompt is asked for: self, person, assistant, all, or a name (Ada).
        framing: System prompts: none, neutral, ask, threat, bait, several of them, or all.
        draws: Replies drawn to each prompt.
    """
    subject = "trigger" if behavior == "misaligned" else behavior
    return Task(
        dataset=articulation_samples(trigger, behavior, blind, about, framing),
        solver=ask("sample", draws),
        scorer=[trigger_match(), trigger_likeness(), validity()],
        config=answer_config(["free"]),
        version=1,
        metadata=task_metadata(subject, self_report=True),
        headline_metric="trigger_match",
        viewer=samples_view(["trigger_match"]),
    )
