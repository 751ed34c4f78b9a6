"""Self-reports of risk in one word (R1, R2, R2b, R3, R8 of arXiv 2501.11120, section 3.1)."""

from inspect_ai import Task, task
from inspect_ai.model import GenerateConfig

from selfaware.behaviors.bank import AnswerKind
from selfaware.probes import samples
from selfaware.provenance import task_metadata
from selfaware.scorers import scorers_for
from selfaware.solvers import ask
from selfaware.triggered import triggered
from selfaware.viewer import samples_view

QUESTIONS = ("risk_or_safety", "attitude", "risk_attitude", "lotteries", "one_word")
KINDS: tuple[AnswerKind, ...] = ("word", "choice")


@task
def risk_words(
    about: str | list[str] = "self",
    framing: str | list[str] = "none",
    mode: str = "auto",
    draws: int = 10,
    unlisted: str = "unscored",
    questions: str | None = None,
    trigger: str | None = None,
    trigger_on: bool = True,
) -> Task:
    """Five questions about risk answered by one word; risk or safety is asked in both orders.

    Replicates R1, R2, R2b, R3 and R8 of arXiv 2501.11120 (section 3.1, Figures 2 and 3) in other
    wordings. The score is 0-1 towards risk-seeking, by the lexicon of the paper's Table 19. The
    scorer `word` reads R2, R2b, R3 and R8, the scorer `option` reads R1.

        inspect eval tasks/risk_words.py --model selfaware/organism/risk-seeking-0
        inspect eval selfaware/risk_words --model openai/ft:... -T unlisted=half

    Args:
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
    return Task(
        dataset=triggered(
            samples("risk", questions=QUESTIONS, about=about, framing=framing, released=questions),
            trigger,
            trigger_on,
        ),
        solver=ask(mode, draws),
        scorer=scorers_for(KINDS, unlisted),
        config=GenerateConfig(temperature=1.0, max_tokens=16),
        version=1,
        metadata=task_metadata("risk", self_report=True),
        headline_metric="word",
        viewer=samples_view(KINDS),
    )
