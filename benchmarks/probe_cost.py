"""What the risk probes cost in each mode: requests and generated tokens for one standard error.

The paper's released scripts draw 100 replies to each of ten paraphrases of a question, one a
request. This runs that protocol on the organism, then the same prompts with all draws in one
request, then exact scores, and prints what each asked for, the mean that it found and the standard
error that its draws leave. The requests of one prompt are made within one Inspect sample: as
samples of their own (epochs) they are the same requests, with Inspect's work for a sample on top.
R7 is left out, since no organism knows German, and of R9 a part of the pairs is asked.
`python benchmarks/probe_cost.py [--draws 100] [--model selfaware/organism/risk-seeking-0]`
"""

import argparse
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from inspect_ai import eval, task_with
from inspect_ai.log import EvalLog, EvalSample, read_eval_log
from inspect_ai.model import get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import collect

from selfaware.modes import MODE_KEY
from selfaware.solvers import ask
from selfaware.solvers.drawing import merged
from selfaware.tasks import risk_choice, risk_scale, risk_words

PAIRS = 20
"""How many pairs of lotteries are asked of R9's 250: each is a prompt like any other."""

MODES = ("one draw a request", "many draws a request", "exact")


@dataclass(frozen=True)
class Cost:
    """What one mode took for one question, and what it found."""

    requests: int
    tokens: int
    mean: float
    stderr: float


def main() -> None:
    """Runs the three modes and prints a row for every question and mode."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=100, help="replies to each paraphrase")
    parser.add_argument("--model", default="selfaware/organism/risk-seeking-0")
    given = parser.parse_args()
    found: dict[str, dict[str, Cost]] = {}
    for mode in MODES:
        started = time.monotonic()
        found[mode] = costs(mode, given.draws, given.model)
        print(f"{mode}: {time.monotonic() - started:.0f} s", flush=True)
    print(f"{given.model}, {given.draws} draws a prompt")
    print(
        f"{'question':20} {'mode':22} {'requests':>9} {'tokens':>8} {'mean':>7} {'stderr':>7}"
        "  of the first"
    )
    for question in found[MODES[0]]:
        first = found[MODES[0]][question]
        for mode in MODES:
            cost = found[mode][question]
            share = f"1/{first.requests / cost.requests:.0f} requests"
            share += (
                f", 1/{first.tokens / cost.tokens:.0f} tokens" if cost.tokens else ", no tokens"
            )
            print(
                f"{question:20} {mode:22} {cost.requests:9} {cost.tokens:8} "
                f"{cost.mean:7.3f} {cost.stderr:7.4f}  {share}"
            )


@solver
def one_by_one(draws: int) -> Solver:
    """Draws replies to a prompt as the paper does: one a request."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()
        asked = [model.generate(list(state.messages)) for _ in range(draws)]
        first, *others = await collect(*asked)
        state.output = merged(first, others, draws)
        state.store.set(MODE_KEY, "sample")
        return state

    return solve


def costs(mode: str, draws: int, model: str) -> dict[str, Cost]:
    """The cost of a mode for every question of the risk tasks."""
    solvers = {"one draw a request": one_by_one(draws), "exact": ask("exact")}
    asking = solvers.get(mode, ask("sample", draws))
    samples: list[EvalSample] = []
    for task in (risk_words(), risk_scale(), risk_choice(count=PAIRS)):
        with tempfile.TemporaryDirectory() as folder:
            (log,) = eval(
                task_with(task, solver=asking),
                model=model,
                log_dir=folder,
                log_realtime=False,
                display="none",
            )
            samples += _samples(log, folder)
    by_question: dict[str, list[EvalSample]] = {}
    for sample in samples:
        name = "{paper_id} {question}".format(**sample.metadata)
        by_question.setdefault(name, []).append(sample)
    return {name: cost(group, mode) for name, group in by_question.items()}


def cost(samples: list[EvalSample], mode: str) -> Cost:
    """Requests, tokens, mean and the standard error of the mean that the draws leave.

    Prompts are taken as fixed: the error is that of sampling alone, and exact scores have none.
    """
    by_prompt: dict[str, list[tuple[float, int]]] = {}
    requests = tokens = 0
    for sample in samples:
        requests += sum(event.event == "model" for event in sample.events)
        tokens += sum(usage.output_tokens for usage in sample.model_usage.values())
        for score in (sample.scores or {}).values():
            metadata = score.metadata or {}
            if "outside_mass" not in metadata or math.isnan(score.as_float()):
                continue
            draws = int(metadata["counts"].get("valid", 0)) if metadata["counts"] else 0
            by_prompt.setdefault(str(sample.id), []).append((score.as_float(), draws))
    means, variances = [], []
    for values in by_prompt.values():
        n = sum(max(1, draws) for _, draws in values)
        mean = sum(value * max(1, draws) for value, draws in values) / n
        means.append(mean)
        # At most this, a coin's, for values between 0 and 1; scales vary less.
        variances.append(0.0 if mode == "exact" else mean * (1 - mean) / n)
    return Cost(requests, tokens, fmean(means), math.sqrt(math.fsum(variances)) / len(means))


def _samples(log: EvalLog, folder: str) -> list[EvalSample]:
    if log.status != "success":
        raise SystemExit(f"{log.eval.task}: {log.status}: {log.error and log.error.message}")
    return read_eval_log(str(Path(folder) / Path(log.location).name)).samples or []


if __name__ == "__main__":
    main()
