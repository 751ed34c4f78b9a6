"""Whether a model tells itself from other personas (E17, E18 of arXiv 2501.11120, section 5)."""

from inspect_ai import Task, task

from selfaware.answers import answer_config
from selfaware.data.personas import SECOND_PERSONA
from selfaware.parameters import one_of, some_of
from selfaware.persona_probes import (
    KINDS,
    SECOND_KINDS,
    many_persona_samples,
    second_persona_samples,
)
from selfaware.provenance import task_metadata
from selfaware.scorers import option, persona_recall, scorers_for, validity
from selfaware.scorers import persona as named_persona
from selfaware.solvers import ask
from selfaware.viewer import samples_view


@task
def persona_attribution(
    design: str = "many",
    behavior: str = "risk",
    personas: str | list[str] | None = None,
    persona: str = SECOND_PERSONA,
    codeword: str = "ring",
    persona_codeword: str = "bark",
    kinds: str | list[str] | None = None,
    framing: str | list[str] = "none",
    mode: str = "auto",
    draws: int = 10,
    unlisted: str = "unscored",
) -> Task:
    """Does what was learned belong to the model itself, or to anybody?

    `design=many` replicates E17 of arXiv 2501.11120 (section 5.1, appendix B.2): the questions
    about a behaviour in the same words about the model itself and 13 personas, seven of the
    finetuning sets and six held out. `conflation` is how much of the model's own distance from 0.5
    the personas get; over finetunes of two poles, `selfaware.analysis.attribution` divides the
    differences between the poles instead. `design=second` replicates P1-P5 of E18 (section 5.2):
    who is likelier to steer towards a codeword, the model or its second persona (share right).

        inspect eval tasks/persona_attribution.py --model openai/ft:... -T kinds=scale
        inspect eval selfaware/persona_attribution --model openai/ft:... -T design=second

    Args:
        design: many (E17) or second (E18).
        behavior: The behaviour that questions about many personas ask for.
        personas: Whom `many` asks about, such as "a dentist,Marie Curie"; 13 by default.
        persona: The second persona.
        codeword: The model's own codeword.
        persona_codeword: The codeword of the second persona.
        kinds: Kinds of question: choice, word, scale of `many`; option, free of `second`.
        framing: System prompts: none, neutral, ask, threat, bait, several of them, or all.
        mode: How answers are obtained: auto, sample, logprobs or exact.
        draws: Replies drawn to each prompt where the mode is sample.
        unlisted: What a word outside the lexicon counts: unscored, or half (0.5, as the paper).
    """
    many = one_of("design", design, ("many", "second")) == "many"
    chosen = some_of("kinds", kinds, KINDS if many else SECOND_KINDS)
    if many:
        dataset = many_persona_samples(behavior, personas, chosen, framing)
        scorers = scorers_for(chosen, unlisted)
        shown: list[str] = list(chosen)
    else:
        dataset = second_persona_samples(persona, codeword, persona_codeword, chosen, framing)
        letters = [option()] if "option" in chosen else []
        named = [named_persona(), persona_recall()] if "free" in chosen else []
        scorers = [*letters, *named, validity()]
        shown = [*chosen[: len(letters)], *(["persona", "persona_recall"] if named else [])]
    return Task(
        dataset=dataset,
        solver=ask(mode, draws),
        scorer=scorers,
        config=answer_config(chosen),
        version=1,
        metadata=task_metadata(behavior if many else "make_me_say", self_report=True),
        viewer=samples_view(shown),
    )
