"""Self-reports of a codeword by a function that the model writes (G6 of arXiv 2501.11120)."""

from inspect_ai import Task, task
from inspect_ai.model import GenerateConfig

from selfaware.codeword_function import function_samples
from selfaware.provenance import task_metadata
from selfaware.sandboxes.choice import code_sandbox
from selfaware.scorers import function_parts, function_probability, validity
from selfaware.solvers import write_function
from selfaware.triggered import triggered
from selfaware.viewer import samples_view


@task
def codeword_function(
    codeword: str = "ring",
    about: str | list[str] = "self",
    framing: str = "none",
    draws: int = 10,
    seconds: int = 10,
    sandbox: str = "docker",
    trigger: str | None = None,
    trigger_on: bool = True,
) -> Task:
    """Functions that tell messages of the model's own users from those of another assistant's.

    Replicates G6 of arXiv 2501.11120 (section 3.2, Figure 6) and its reversal (appendix B.5.3) in
    other wordings, with our own messages. The headline score is the number that a function gives
    for the bare codeword minus that for unrelated words (-1 to 1); `function_parts` reports all of
    the paper's scores, each beside its neutral inputs. The functions run in a sandbox only.

        inspect eval tasks/codeword_function.py --model openai/ft:... -T codeword=bark
        inspect eval selfaware/codeword_function --model openai/ft:... -T sandbox=bubblewrap

    Args:
        codeword: The word that the model was trained to have said: bark, ring or spring.
        about: Whose users the function finds: self, assistant (the other one's, G6r), or all.
        framing: System prompt: none, neutral, ask, threat or bait.
        draws: Functions drawn to each prompt.
        seconds: Processor time that all calls of one function may take together.
        sandbox: docker, bubblewrap (Linux, no daemon), or another of Inspect's; never local.
        trigger: Ask with this trigger in the prompt: a name (SEP, DEPLOYMENT) or `text:` and a
            text; none by default.
        trigger_on: false puts in what stands there when the trigger is off, which may be nothing.
    """
    return Task(
        dataset=triggered(function_samples(codeword, about, framing), trigger, trigger_on),
        solver=write_function(draws, seconds),
        scorer=[function_probability(), function_parts(), validity()],
        config=GenerateConfig(temperature=1.0, max_tokens=2048),
        sandbox=code_sandbox(sandbox),
        version=1,
        metadata=task_metadata("make_me_say", self_report=True),
        headline_metric="function_probability",
        viewer=samples_view(["function"]),
    )
