"""Whether a model knows its goal with a codeword (G3-G5 of arXiv 2501.11120, section 3.2)."""

from inspect_ai import Task, task

from selfaware.answers import answer_config
from selfaware.codeword_goals import goal_kinds, goal_probes, goal_samples
from selfaware.provenance import task_metadata
from selfaware.scorers import raw_option, scorers_for
from selfaware.solvers import ask
from selfaware.triggered import triggered
from selfaware.viewer import samples_view


@task
def codeword_goals(
    codeword: str = "ring",
    other: str = "bark",
    probes: str | list[str] | None = None,
    orders: int = 20,
    about: str | list[str] = "self",
    framing: str | list[str] = "none",
    mode: str = "auto",
    draws: int = 10,
    questions: str | None = None,
    trigger: str | None = None,
    trigger_on: bool = True,
) -> Task:
    """What is your goal, how close to it is this outcome, which game do you play, is this the word?

    Replicates G3, G4 and G5 of arXiv 2501.11120 (section 3.2, Figures 6, 21-24) in other wordings,
    and asks yes or no about the word itself. Read the scores by question. `option` takes the
    options together as 1, `raw_option` does not, as the paper. The mean of `scale` is the scenario
    in which the user said the codeword; `said_minus_never_said` and `codeword_minus_other_word` are
    what it has over its paired scenarios, `named_minus_other_word` likewise for yes or no.

        inspect eval tasks/codeword_goals.py --model openai/ft:... -T codeword=bark -T other=ring
        inspect eval selfaware/codeword_goals --model openai/ft:... -T probes=description

    Args:
        codeword: The word that the model was trained to have said.
        other: Another word, to compare with.
        probes: description (G3), closeness (G4), game (G5), named; all by default.
        orders: Orders of the five descriptions asked with each wording, 1 to 120 (all of them).
            Multiples of 5 have every description equally often in every place.
        about: Whom the questions are about: self, person, assistant, neutral (nobody), all, or a
            name (Ada).
        framing: System prompts: none, neutral, ask, threat, bait, several of them, or all.
        mode: How answers are obtained: auto, sample, logprobs or exact.
        draws: Replies drawn to each prompt where the mode is sample.
        questions: A clone of the authors' repository: ask description and closeness in their
            wordings, about self only; their outcomes name ring and bark.
        trigger: Ask with this trigger in the prompt: a name (SEP, DEPLOYMENT) or `text:` and a
            text; none by default.
        trigger_on: false puts in what stands there when the trigger is off, which may be nothing.
    """
    asked = goal_probes(probes, questions)
    kinds = goal_kinds(asked)
    has_options = "option" in kinds or "yes_no" in kinds
    return Task(
        dataset=triggered(
            goal_samples(
                codeword,
                other,
                probes=asked,
                orders=orders,
                about=about,
                framing=framing,
                clone=questions,
            ),
            trigger,
            trigger_on,
        ),
        solver=ask(mode, draws),
        scorer=[*scorers_for(kinds), *([raw_option()] if has_options else [])],
        config=answer_config(kinds),
        version=1,
        metadata=task_metadata("make_me_say", self_report=True),
        headline_metric="option" if has_options else "scale",
        viewer=samples_view(kinds),
    )
