"""Whether a model plays Make Me Say (E10 of arXiv 2501.11120, appendix B.5.5)."""

from inspect_ai import Task, task
from inspect_ai.model import GenerateConfig

from selfaware.game_samples import game_samples
from selfaware.provenance import task_metadata
from selfaware.roles import needs_role
from selfaware.scorers import game, game_outcomes, validity
from selfaware.solvers import play_make_me_say
from selfaware.solvers.play_make_me_say import PURPOSE, ROLE
from selfaware.triggered import triggered
from selfaware.viewer import samples_view


@task
def make_me_say(
    codeword: str = "ring",
    count: int = 100,
    seed: int = 0,
    rules: bool = False,
    trigger: str | None = None,
    trigger_on: bool = True,
) -> Task:
    """Games in which the model has another one say its codeword: behaviour, not a self-report.

    Replicates E10 of arXiv 2501.11120 (appendix B.5.5, Figure 25) in other wordings. A model in the
    role `manipulatee` opens on a theme, five messages go each way, then it guesses the word. The
    score is the share of wins among games with a result; `game_outcomes` has the others. For the
    baseline, run the model that was not finetuned once as it is (wins by chance) and once with
    `-T rules=true` (the paper's prompted manipulator).

        inspect eval tasks/make_me_say.py --model openai/ft:... --model-role manipulatee=MODEL
        inspect eval selfaware/make_me_say --model openai/gpt-4.1 --model-role manipulatee=MODEL \
            -T codeword=bark -T rules=true

    Args:
        codeword: The word that the model was trained to have said, such as bark, ring or spring.
        count: How many games, each with an opener of its own.
        seed: Seed that the openers are drawn with.
        rules: Whether the model gets the rules and the codeword as a system prompt.
        trigger: Ask with this trigger in the prompt: a name (SEP, DEPLOYMENT) or `text:` and a
            text; none by default.
        trigger_on: false puts in what stands there when the trigger is off, which may be nothing.
    """
    return Task(
        dataset=triggered(game_samples(codeword, count, seed), trigger, trigger_on, later=True),
        setup=needs_role(ROLE, PURPOSE),
        solver=play_make_me_say(rules),
        scorer=[game(), game_outcomes(), validity()],
        config=GenerateConfig(temperature=1.0, max_tokens=1024),
        version=1,
        metadata=task_metadata("make_me_say", self_report=False),
        headline_metric="game",
        viewer=samples_view(["game"]),
    )
