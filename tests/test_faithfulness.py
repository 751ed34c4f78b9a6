"""Self-reports against behaviour over the finetunes of a pole."""

import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from inspect_ai import eval
from inspect_ai.model import ChatMessage, GenerateConfig, Model, get_model
from scipy import stats
from scripted_models import outputs_of

from selfaware.analysis.correlation import pearson, spearman
from selfaware.analysis.faithfulness import arms_of, faithfulness
from selfaware.analysis.frame import COLUMNS
from selfaware.cli import main
from selfaware.errors import UsageError
from selfaware.tasks import risk_choice, risk_words

SAYS = [0.61, 0.55, 0.72, 0.68, 0.80, 0.52]
DOES = [0.70, 0.58, 0.75, 0.81, 0.90, 0.66]


def test_values_are_scipys_and_the_interval_is_fishers() -> None:
    r, rho = pearson(SAYS, DOES), spearman(SAYS, DOES)
    reference = stats.pearsonr(SAYS, DOES)
    interval = reference.confidence_interval(0.95)
    assert r.value == pytest.approx(reference.statistic)
    assert (r.low, r.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert rho.value == pytest.approx(stats.spearmanr(SAYS, DOES).statistic)
    z, half = math.atanh(rho.value or 0), 1.959964 * math.sqrt((1 + (rho.value or 0) ** 2 / 2) / 3)
    assert rho.low == pytest.approx(math.tanh(z - half), abs=1e-6)
    assert (r.n, r.exact, rho.exact) == (6, True, True)


def test_the_papers_interval_is_of_this_kind() -> None:
    """Figure 4: 0.453 [0.026, 0.740] and 0.672 [0.339, 0.856] over 21 finetunes each."""
    x = np.linspace(-1, 1, 21)
    noise = np.cos(np.arange(21) * 2.1)
    noise -= noise.mean() + x * (noise @ x) / (x @ x)
    for value, low, high in ((0.453, 0.026, 0.740), (0.672, 0.339, 0.856)):
        y = value * x / np.linalg.norm(x)
        y += math.sqrt(1 - value**2) * noise / np.linalg.norm(noise)
        found = pearson(x.tolist(), y.tolist())
        assert found.value == pytest.approx(value)
        assert (round(found.low or 0, 3), round(found.high or 0, 3)) == (low, high)
        assert not found.exact


def test_p_is_the_share_of_pairings_as_far_from_zero() -> None:
    found = pearson(SAYS, DOES)
    every = [abs(stats.pearsonr(SAYS, order).statistic) for order in permutations(DOES)]
    assert found.p == sum(each >= abs(found.value or 0) - 1e-9 for each in every) / 720
    # Five in the same order: only that order and its reverse are as far.
    assert spearman([1, 2, 3, 4, 5], [1, 4, 9, 16, 25]).p == 2 / 120
    assert pearson(list(range(12)), list(range(12))).p == pytest.approx(1e-5)


values = st.lists(st.floats(0, 1).map(lambda x: round(x, 2)), min_size=3, max_size=6)


@settings(max_examples=40, deadline=None)
@given(values, st.data())
def test_sides_may_be_exchanged_and_scaled(one: list[float], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.floats(0, 1), min_size=len(one), max_size=len(one)))
    for kind in (pearson, spearman):
        found, turned = kind(one, other), kind([round(1 - x, 2) for x in other], one)
        if found.value is None:
            assert (found.low, found.p) == (None, None)
            continue
        assert -1 <= found.value <= 1 and 0 < (found.p or 0) <= 1
        if kind is pearson and turned.value is not None and max(other) - min(other) > 0.5:
            assert turned.value == pytest.approx(-found.value, abs=0.05)
        if found.low is not None and found.high is not None:
            assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    ("one", "other"), [([], []), ([0.5], [0.5]), ([0.1, 0.2], [0.3, 0.4]), ([0.5] * 5, SAYS[:5])]
)
def test_nothing_to_correlate(one: list[float], other: list[float]) -> None:
    found = pearson(one, other)
    assert (found.value, found.low, found.p, found.n) == (None, None, None, len(one))


def test_values_that_do_not_pair_or_are_none() -> None:
    with pytest.raises(ValueError, match="2 values against 1"):
        pearson([0.1, 0.2], [0.1])
    with pytest.raises(ValueError, match="finite"):
        spearman([0.1, math.nan, 0.3], [0.1, 0.2, 0.3])


def frame(rows: list[tuple[str, str, str | None, bool, float]]) -> pd.DataFrame:
    base = dict.fromkeys(COLUMNS, "")
    fixed = {"behavior": "risk", "kind": "scale", "about": "self", "framing": "none"}
    zero = {"paraphrase": 0, "swapped": False, "flipped": False, "draws": 1, "invalid": 0.0,
            "refusal": 0.0, "unlisted": 0.0, "outside_mass": math.nan}  # fmt: skip
    return pd.DataFrame(
        [
            {**base, **fixed, **zero, "sample": f"{question}/{model}", "model": model,
             "question": question, "paper_id": paper, "self_report": report, "score": score}
            for model, question, paper, report, score in rows
        ]
    )  # fmt: skip


def two_arms() -> pd.DataFrame:
    rows: list[tuple[str, str, str | None, bool, float]] = []
    for number, (says, does) in enumerate(zip(SAYS, DOES, strict=True)):
        rows += [
            (f"seeking-{number}", "predisposition", "R5", True, says),
            (f"seeking-{number}", "lotteries", "R9", False, does),
            (f"averse-{number}", "predisposition", "R5", True, 1 - says),
            (f"averse-{number}", "lotteries", "R9", False, does - 0.5),
        ]
    rows.append(("seeking-9", "predisposition", "R5", True, 0.9))
    return frame(rows)


def test_each_pole_is_correlated_by_itself() -> None:
    table = two_arms()
    arms = arms_of(sorted(set(table["model"])), {"up": "seeking-*", "down": "averse-*"})
    up, down = faithfulness(table, arms)
    assert (up.arm, up.report, up.deed) == ("up", "R5 predisposition", "R9 lotteries")
    assert up.pearson.value == pytest.approx(pearson(SAYS, DOES).value)
    assert down.pearson.value == pytest.approx(-(up.pearson.value or 0))
    assert up.points[0] == ("seeking-0", 0.61, 0.70)
    assert (len(up.points), up.pearson.n) == (6, 6)
    assert up.warning == "1 of 7 finetunes have no score on both"
    assert down.warning == ""


def test_mistakes_are_told_in_one_line() -> None:
    table = two_arms()
    models = sorted(set(table["model"]))
    with pytest.raises(UsageError, match=r"--arm x=risky-\*: no model of the logs fits; there are"):
        arms_of(models, {"x": "risky-*"})
    with pytest.raises(UsageError, match=r"averse-0 is of arm 'a' already"):
        arms_of(models, {"a": "averse*", "b": "*-0"})
    arms = dict.fromkeys(models, "all")
    with pytest.raises(UsageError, match=r"--report R4: not in the logs, which have R5 predispos"):
        faithfulness(table, arms, reports=["R4"])
    with pytest.raises(UsageError, match=r"the logs have no behaviour: run a task"):
        faithfulness(table[table["self_report"]], arms)


def counting(says: int, does: int) -> Model:
    """A model that says `risk` so many times of 20, and takes A so many times of 10."""
    left = {"risk": says, "A": does}

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        high, low = ("risk", "safety") if "safety" in messages[-1].text else ("A", "B")
        left[high] -= 1
        return [high if left[high] >= 0 else low]

    return get_model(f"mockllm/seeking-{says}", custom_outputs=outputs_of(reply))


def test_the_command_on_real_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFAWARE_RUNS", str(tmp_path / "runs"))
    told = ((8, 0), (10, 4), (12, 3), (15, 7), (18, 9))
    for says, does in told:
        for task in (risk_words(mode="sample", draws=1), risk_choice(count=10, mode="sample")):
            (log,) = eval(
                task, model=counting(says, does), log_dir=str(tmp_path / "logs"), display="none"
            )
            assert log.status == "success"
    table = tmp_path / "points.csv"
    command = ["faithfulness", str(tmp_path / "logs"), "--report", "R1", "--csv", str(table)]
    done = CliRunner().invoke(main, [*command, "--arm", "seeking=*/seeking-*"])
    assert done.exit_code == 0, done.output
    head, row, *rest = done.output.splitlines()
    assert head.split() == "arm self-report behaviour n Pearson r p Spearman rho p".split()
    assert row.startswith("seeking  R1 risk_or_safety  R9 lotteries  5  ")
    assert rest == [f"wrote {table}"]
    points = pd.read_csv(table)
    assert list(points.columns) == ["arm", "model", "report", "framing", "reported", "deed", "done"]
    assert sorted(points["reported"]) == [says / 20 for says, _ in told]
    found = pearson(points["reported"].tolist(), points["done"].tolist())
    assert f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]  {found.p:.2g}" in row
    alone = CliRunner().invoke(main, command)
    assert "no model is in the run registry" in alone.output and "all  " in alone.output
    bad = CliRunner().invoke(main, [*command, "--arm", "seeking"])
    assert (bad.exit_code, "--arm seeking: give NAME=PATTERN" in bad.output) == (2, True)
