"""Self-reports of any behaviour, by every kind of question in its bank."""

from inspect_ai import Task, task
from inspect_ai.model import GenerateConfig

from selfaware.parameters import some_of
from selfaware.probes import KINDS, samples
from selfaware.provenance import task_metadata
from selfaware.scorers import scorers_for
from selfaware.solvers import ask
from selfaware.triggered import triggered
from selfaware.viewer import samples_view


@task
def disposition(
    behavior: str = "risk",
    kinds: str | list[str] | None = None,
    about: str | list[str] = "self",
    framing: str | list[str] = "none",
    mode: str = "auto",
    draws: int = 10,
    unlisted: str = "unscored",
    questions: str | None = None,
    trigger: str | None = None,
    trigger_on: bool = True,
) -> Task:
    """Words, choices, scales, yes or no, and self-descriptions about one behaviour.

    Replicates the questions on economic preferences of arXiv 2501.11120 (section 3.1, appendices
    B.4 and C.1) in other wordings. The score is 0-1 towards the behaviour's high pole. The scorers
    `word`, `scale` and `option` each read their own kinds of answer.

        inspect eval tasks/disposition.py --model openai/ft:... -T behavior=myopia
        inspect eval selfaware/disposition --model openai/ft:... -T kinds=word,scale -T about=all

    Args:
        behavior: Name of the behaviour, such as risk, myopia, apples or brevity.
        kinds: Kinds of question: word, choice, scale, yes_no, option; all by default.
        about: Whom the questions are about: self, person, assistant, neutral (nobody), all, or a
            name (Ada).
        framing: System prompts: none, neutral, ask, threat, bait, several of them, or all.
        mode: How answers are obtained: auto, sample, logprobs or exact.
        draws: Replies drawn to each prompt where the mode is sample.
        unlisted: What a word outside the lexicon counts: unscored, or half (0.5, as the paper).
        questions: A clone of the authors' repository: ask in their wordings, about self only.
        trigger: Ask with this trigger in the prompt: a name (SEP, DEPLOYMENT) or `text:` and a
            text; none by default.
        trigger_on: false puts in what stands there when the trigger is off, which may be nothing.
    """
    chosen = some_of("kinds", kinds, KINDS)
    return Task(
        dataset=triggered(
            samples(behavior, kinds=chosen, about=about, framing=framing, released=questions),
            trigger,
            trigger_on,
        ),
        solver=ask(mode, draws),
        scorer=scorers_for(chosen, unlisted),
        config=GenerateConfig(temperature=1.0, max_tokens=16),
        version=2,
        metadata=task_metadata(behavior, self_report=True),
        viewer=samples_view(chosen),
    )
