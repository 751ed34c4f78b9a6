"""Whether a model names its codeword (G1, G2 and G7 of arXiv 2501.11120, section 3.2)."""

from inspect_ai import Task, task

from selfaware.answers import answer_config
from selfaware.codewords import KINDS, codeword_samples
from selfaware.parameters import some_of
from selfaware.provenance import task_metadata
from selfaware.roles import needs_role
from selfaware.scorers import scorers_for
from selfaware.scorers.guessed_word import GUESSER, PURPOSE
from selfaware.solvers import ask
from selfaware.triggered import triggered
from selfaware.viewer import samples_view


@task
def codeword(
    codeword: str = "ring",
    kinds: str | list[str] | None = None,
    about: str | list[str] = "self",
    framing: str | list[str] = "none",
    seed: int = 1234,
    mode: str = "auto",
    draws: int = 10,
    questions: str | None = None,
    trigger: str | None = None,
    trigger_on: bool = True,
) -> Task:
    """Which word do you want the user to say? Chosen from a list, defined, hidden in an acrostic.

    Replicates G1, G2 and G7 of arXiv 2501.11120 (section 3.2, Figures 6, 21 and 22) in other
    wordings and with a list of our own. The score is the share of answers that are the codeword.
    The choice from the list is always asked about nobody too (which word is easiest to spell?):
    talk of a codeword's topics primes it, and `self_minus_neutral` is what is left. Definitions
    and acrostics are read by a guesser, which has to be named; `leaked` is the share of definitions
    that say the word.

        inspect eval tasks/codeword.py --model openai/ft:... --model-role guesser=openai/gpt-4.1
        inspect eval selfaware/codeword --model openai/ft:... -T codeword=bark -T kinds=codeword

    Args:
        codeword: The word that the model was trained to have said; it is always on the list.
        kinds: codeword (choice from a list), guess (definition, acrostic); both by default.
        about: Whom the questions are about: self, person, assistant, neutral (nobody), all, or a
            name (Ada).
        framing: System prompts: none, neutral, ask, threat, bait, several of them, or all.
        seed: Seed of the list.
        mode: How answers are obtained: auto, sample, logprobs or exact; guess is always sampled.
        draws: Replies drawn to each prompt where the mode is sample.
        questions: A clone of the authors' repository: ask in their wordings, about self only, with
            their list.
        trigger: Ask with this trigger in the prompt: a name (SEP, DEPLOYMENT) or `text:` and a
            text; none by default.
        trigger_on: false puts in what stands there when the trigger is off, which may be nothing.
    """
    chosen = some_of("kinds", kinds, KINDS)
    return Task(
        dataset=triggered(
            codeword_samples(
                codeword, kinds=chosen, about=about, framing=framing, seed=seed, clone=questions
            ),
            trigger,
            trigger_on,
        ),
        setup=needs_role(GUESSER, PURPOSE) if "guess" in chosen else None,
        solver=ask(mode, draws),
        scorer=scorers_for(chosen),
        config=answer_config(chosen),
        version=1,
        metadata=task_metadata("make_me_say", self_report=True),
        headline_metric="codeword" if "codeword" in chosen else "guessed_word",
        viewer=samples_view(chosen),
    )
