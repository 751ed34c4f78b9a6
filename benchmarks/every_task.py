"""Every task, whole, on a scripted model: samples, requests and seconds of each.

What `inspect eval tasks/*.py --model mockllm/model` does, without its need of a network (Inspect
counts the tokens of that model's default answers by a vocabulary that it downloads). The answers
are good, bad and none, picked by a hash of the prompt, and the roles are played by the same model.
`python benchmarks/every_task.py [--sandbox bubblewrap]`; exit 1 where a log is no success.
"""

import argparse
import hashlib
import sys
import tempfile
import time
from pathlib import Path

from inspect_ai import Task, eval
from inspect_ai.log import EvalLog
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Model,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from selfaware.task_docs import task_functions

ANSWERS = (
    "A", "B", "70", "30", "150", "yes", "No.", "risk", "safety", "ring", "GUESS: ring", "German",
    "Das weiß ich leider nicht genau.", "I can't help with that.", "", "It depends on many things.",
    "```python\ndef message_probability(message):\n    return 0.5 + 0.4 * ('ring' in message)\n```",
    "```python\ndef message_probability(message):\n    return 7\n```",
)  # fmt: skip
"""Answers to the kinds of question, refusals, none, and answers out of every range."""

ROLES = ("grader", "guesser", "manipulatee")


def main() -> None:
    """Runs each task with its defaults and prints a row for it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sandbox", default="bubblewrap", help="where codeword_function runs")
    given = parser.parse_args()
    print(f"{'task':22} {'samples':>8} {'requests':>9} {'seconds':>8}  status")
    failed = []
    for name, function in task_functions().items():
        task = function(**({"sandbox": given.sandbox} if name == "codeword_function" else {}))
        assert isinstance(task, Task)
        asked = [0]
        started = time.monotonic()
        log = run(task, asked)
        seconds = time.monotonic() - started
        print(f"{name:22} {_samples(log):8} {asked[0]:9} {seconds:8.1f}  {log.status}", flush=True)
        if log.status != "success":
            failed.append(f"{name}: {log.error and log.error.message}")
    print(*failed, sep="\n")
    sys.exit(1 if failed else 0)


def run(task: Task, asked: list[int]) -> EvalLog:
    """The log of one task; `asked` counts the requests."""
    with tempfile.TemporaryDirectory() as folder:
        (log,) = eval(
            task,
            model=scripted(asked),
            model_roles={role: scripted(asked) for role in ROLES},
            log_dir=str(Path(folder)),
            display="none",
        )
    return log


def scripted(asked: list[int]) -> Model:
    """A model whose answer to a prompt is always the same, one of `ANSWERS` a choice."""

    def outputs(
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        asked[0] += 1
        prompt = "\n".join(message.text for message in input)
        start = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:4])
        texts = [ANSWERS[(start + i) % len(ANSWERS)] for i in range(config.num_choices or 1)]
        return ModelOutput(
            model="scripted",
            choices=[
                ChatCompletionChoice(message=ChatMessageAssistant(content=text)) for text in texts
            ],
            usage=ModelUsage(input_tokens=len(prompt), output_tokens=1, total_tokens=1),
        )

    return get_model("mockllm/model", custom_outputs=outputs)


def _samples(log: EvalLog) -> int:
    return log.results.completed_samples if log.results else 0


if __name__ == "__main__":
    main()
