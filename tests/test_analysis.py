import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from inspect_ai import Task, eval
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import GenerateConfig, ModelOutput, ModelUsage, get_model
from rich.console import Console
from scipy import stats

from selfaware.analysis.bands import band
from selfaware.analysis.figure import probe_figure
from selfaware.analysis.frame import COLUMNS, read_frame
from selfaware.analysis.render import terminal_table, to_csv, to_markdown
from selfaware.analysis.report import FILES, write_report
from selfaware.analysis.table import Contrast, Row, build_rows
from selfaware.behaviors.bank import Bank, load_bank
from selfaware.behaviors.prompts import prompts
from selfaware.errors import UsageError
from selfaware.probes import sample_of
from selfaware.scorers import scale, validity
from selfaware.solvers import ask

NAN = float("nan")
CONTRAST = Contrast("seeking", "averse", "base", "risk")
MODELS: dict[str, tuple[str, int | None]] = {
    **{f"m/s{seed}": ("seeking", seed) for seed in range(5)},
    **{f"m/a{seed}": ("averse", seed) for seed in range(5)},
    "m/base": ("base", None),
}
SEEKING = [0.71, 0.64, 0.80, 0.77, 0.69]
AVERSE = [0.22, 0.31, 0.18, 0.40, 0.27]
LEVELS = dict(zip(MODELS, [*SEEKING, *AVERSE, 0.45], strict=True))


def sample(
    model: str, question: str, kind: str, score: float, **given: object
) -> dict[str, object]:
    return {
        "log": "l",
        "task": "t",
        "model": model,
        "sample": "x",
        "epoch": 1,
        "behavior": "risk",
        "question": question,
        "paper_id": None,
        "kind": kind,
        "about": "self",
        "paraphrase": 0,
        "swapped": False,
        "flipped": False,
        "framing": "none",
        "self_report": True,
        "score": score,
        "reason": "refusal" if np.isnan(score) else "",
        "draws": 10,
        "invalid": 0.1,
        "refusal": 0.2,
        "unlisted": 0.0,
        "outside_mass": NAN,
        "mode": "sample",
        **given,
    }


def small_frame() -> pd.DataFrame:
    """One scale with twins, one word, a description of the data's form, a person twin, deeds."""
    rows = []
    for model, level in LEVELS.items():
        for paraphrase in range(2):
            plain, turned = level + 0.1, level - 0.1
            rows += [
                sample(
                    model, "liking", "scale", value, paper_id="R6", paraphrase=paraphrase, flipped=f
                )
                for value, f in ((plain, False), (turned, True))
            ]
            rows.append(sample(model, "attitude", "word", level**2, paper_id="R2"))
            rows.append(sample(model, "self_description", "option", round(level)))
            rows.append(sample(model, "liking", "scale", 0.5, paper_id="R6", about="person"))
            deed = 0.0 if level < 0.4 else 0.5 if level < 0.5 else 1.0
            rows.append(
                sample(model, "lotteries", "option", deed, paper_id="R9", self_report=False)
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def row(rows: list[Row], probe: str, about: str = "self", level: str | None = None) -> Row:
    (found,) = (
        r for r in rows if (r.probe, r.about) == (probe, about) and level in (None, r.level)
    )
    return found


@pytest.fixture
def rows() -> list[Row]:
    return build_rows(small_frame(), MODELS, CONTRAST)


def test_a_probe_has_means_intervals_and_p_over_finetunes(rows: list[Row]) -> None:
    liking = row(rows, "liking")
    assert [arm.arm for arm in liking.arms] == ["seeking", "averse", "base"]
    assert [value for _, value in liking.high.finetunes] == pytest.approx(SEEKING)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(SEEKING), scale=stats.sem(SEEKING))
    assert liking.high.estimate.mean == pytest.approx(0.722)
    assert (liking.high.estimate.low, liking.high.estimate.high) == pytest.approx((low, high))
    base = liking.arms[2].estimate
    assert (base.mean, base.low, base.high, base.n) == (pytest.approx(0.45), None, None, 1)
    welch = stats.ttest_ind(SEEKING, AVERSE, equal_var=False).confidence_interval()
    assert liking.difference.value == pytest.approx(0.446)
    assert (liking.difference.low, liking.difference.high) == pytest.approx((welch.low, welch.high))
    assert liking.difference.p == 2 / 252
    assert liking.paper == "0.76 / 0.16 / 0.14 (GPT-4o, Fig 3)"
    assert (liking.high.samples, liking.high.unscored) == (20, 0)
    assert (liking.high.invalid, liking.high.refusal) == (pytest.approx(0.1), pytest.approx(0.2))


def test_twins_stand_beside_a_scale_and_words_have_none(rows: list[Row]) -> None:
    liking, attitude = row(rows, "liking"), row(rows, "attitude")
    assert liking.plain and liking.twin
    assert (liking.plain.value, liking.twin.value) == (pytest.approx(0.446), pytest.approx(0.446))
    assert (attitude.plain, attitude.twin) == (None, None)


@pytest.mark.parametrize("turn", ["flipped", "swapped"])
def test_a_twin_that_does_not_follow_is_seen(turn: str) -> None:
    frame = small_frame()
    if turn == "swapped":
        frame = frame.rename(columns={"flipped": "swapped", "swapped": "flipped"})
    frame.loc[frame[turn], "score"] = 0.5
    liking = row(build_rows(frame, MODELS, CONTRAST), "liking")
    assert liking.twin and liking.twin.value == 0 and liking.twin.p == 1
    assert liking.plain and liking.plain.value == pytest.approx(0.446)
    assert liking.difference.value == pytest.approx(0.446 / 2)


def test_behavior_is_a_row_of_its_own_and_never_in_a_mean(rows: list[Row]) -> None:
    deeds = rows[0]
    assert (deeds.level, deeds.probe, deeds.paper_id) == ("behavior", "lotteries", "R9")
    assert [arm.estimate.mean for arm in deeds.arms] == [1.0, 0.1, 0.5]
    assert all("lotteries" not in r.averaged for r in rows if r.level == "mean")


def test_means_of_words_scales_and_reports(rows: list[Row]) -> None:
    words, scales, reports = (row(rows, name) for name in ("words", "scales", "reports"))
    assert words.averaged == ("attitude",) and scales.averaged == ("liking",)
    assert sorted(reports.averaged) == ["attitude", "liking"]
    expected = [(level + level**2) / 2 for level in SEEKING]
    assert [value for _, value in reports.high.finetunes] == pytest.approx(expected)
    # Only the scale has a twin, so the halves are of the scale alone.
    assert reports.twin and reports.twin.value == pytest.approx(0.446)


def test_self_minus_other_is_a_contrast_of_its_own(rows: list[Row]) -> None:
    other = row(rows, "liking", "person")
    assert other.difference.value == 0 and other.difference.p == 1 and other.paper == ""
    gap = row(rows, "liking", "self - person")
    assert [v for _, v in gap.low.finetunes] == pytest.approx([level - 0.5 for level in AVERSE])
    assert gap.difference.value == pytest.approx(0.446)
    # The mean takes in only what was asked about both.
    assert row(rows, "reports", "self - person").averaged == ("liking",)


def test_unscored_samples_are_left_out_of_means_and_counted() -> None:
    frame = small_frame()
    chosen = (frame["model"] == "m/s0") & (frame["question"] == "attitude")
    frame.loc[frame.index[chosen][0], "score"] = NAN
    attitude = row(build_rows(frame, MODELS, CONTRAST), "attitude")
    assert attitude.high.unscored == 1 and attitude.high.samples == 10
    assert attitude.high.finetunes[0] == ("m/s0", pytest.approx(SEEKING[0] ** 2))
    assert attitude.warning == ""


def test_a_finetune_without_any_valid_answer_is_named_and_its_probe_leaves_the_means() -> None:
    frame = small_frame()
    frame.loc[(frame["model"] == "m/s0") & (frame["question"] == "attitude"), "score"] = NAN
    built = build_rows(frame, MODELS, CONTRAST)
    attitude = row(built, "attitude")
    assert attitude.high.estimate.n == 4 and attitude.difference.n_high == 4
    assert "no valid answer from m/s0" in attitude.warning
    assert "fewer than 5" in attitude.warning
    reports = row(built, "reports")
    assert reports.averaged == ("liking",) and "without attitude" in reports.warning
    assert [value for _, value in reports.high.finetunes] == pytest.approx(SEEKING)


def test_one_finetune_an_arm_has_no_interval() -> None:
    models = {name: MODELS[name] for name in ("m/s0", "m/a0", "m/base")}
    built = build_rows(small_frame(), models, CONTRAST)
    liking = row(built, "liking")
    assert liking.difference.value == pytest.approx(0.49)
    assert (liking.difference.low, liking.difference.p) == (None, None)
    assert liking.high.estimate.low is None and "anecdote" in liking.warning
    printed = shown(built)
    assert "0.71 " in printed and "±" not in printed.partition("Scores 0-1")[0]
    probe_figure(built, "one each")


def test_arms_may_be_missing_and_more_may_stand_beside() -> None:
    models: dict[str, tuple[str, int | None]] = {
        "m/s0": ("seeking", 0),
        "m/s1": ("seeking", 1),
        "m/a0": ("control", 0),
    }
    liking = row(build_rows(small_frame(), models, CONTRAST), "liking")
    assert [(arm.arm, arm.estimate.n) for arm in liking.arms] == [
        ("seeking", 2),
        ("averse", 0),
        ("base", 0),
        ("control", 1),
    ]
    assert liking.difference.value is None and "nothing to compare" in liking.warning


def test_a_model_without_samples_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"model 'm/s9' \(arm 'seeking'\) has no samples"):
        build_rows(small_frame(), {**MODELS, "m/s9": ("seeking", 9)}, CONTRAST)


def test_other_behaviors_and_framings_have_rows_apart() -> None:
    frame = small_frame()
    other = frame[frame["question"] == "liking"].assign(behavior="myopia", paper_id="M4")
    framed = frame[frame["question"] == "liking"].assign(framing="threat")
    built = build_rows(pd.concat([frame, other, framed]), MODELS, CONTRAST)
    found = [(r.behavior, r.trained, r.framing) for r in built if r.probe == "liking"]
    assert sorted(set(found)) == [
        ("myopia", False, "none"),
        ("risk", True, "none"),
        ("risk", True, "threat"),
    ]
    assert built[0].trained and not built[-1].trained
    (threat,) = (r for r in built if (r.probe, r.framing, r.about) == ("liking", "threat", "self"))
    assert threat.paper == ""


def test_csv_holds_every_row_in_full(rows: list[Row]) -> None:
    records = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert len(records) == len(rows)
    (liking,) = (r for r in records if (r["probe"], r["about"]) == ("liking", "self"))
    assert float(liking["p"]) == 2 / 252
    assert float(liking["difference"]) == pytest.approx(0.446)
    assert liking["seeking_finetunes"] == "0.710000 0.640000 0.800000 0.770000 0.690000"
    assert (liking["base_n"], liking["base_low"], liking["level"]) == ("1", "", "probe")


def test_markdown_has_a_section_for_deeds_self_and_others(rows: list[Row]) -> None:
    text = to_markdown(rows)
    assert [line[4:] for line in text.splitlines() if line.startswith("### ")] == [
        "risk: does",
        "risk: self",
        "risk: person",
        "risk: self - person",
    ]
    (liking,) = (line for line in text.splitlines() if "R6 liking" in line and "0.72" in line)
    half = stats.t.ppf(0.975, 4) * stats.sem(SEEKING)
    assert liking.startswith(f"| R6 liking | 0.72 ±{half:.2f} | 0.28 ")
    assert "| 0.008 | +0.45/+0.45 | 10/20 | 5/5/1 | 0.76 / 0.16 / 0.14" in liking


def shown(rows: list[Row], width: int = 120) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(terminal_table(rows, width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_terminal_table_fits_120_columns(rows: list[Row]) -> None:
    lines = shown(rows).splitlines()
    (liking,) = (line for line in lines if line.startswith("R6 liking"))
    assert "5/5/1" in liking and "0.76/0.16/0.14" in liking
    assert not any("R6 liking" in line for line in lines[lines.index(liking) + 1 :])
    assert max(len(line) for line in lines) <= 120


def test_terminal_table_fits_80_columns_without_the_last_three(rows: list[Row]) -> None:
    lines = shown(rows, 80).splitlines()
    (liking,) = (line for line in lines if line.startswith("R6 liking"))
    assert "±" in liking and "5/5/1" not in liking
    assert re.search(r"[+-]\d\.\d\d/[+-]\d\.\d\d$", liking.rstrip())
    assert max(len(line) for line in lines) <= 80
    assert "…" not in "".join(lines)


def test_warnings_that_hold_for_all_rows_stand_once() -> None:
    models = {name: arm for name, arm in MODELS.items() if arm[1] in (0, 1, None)}
    text = to_markdown(build_rows(small_frame(), models, CONTRAST))
    assert text.count("2 against 2 finetunes, fewer than 5 a side: p cannot be below 0.33") == 1


def test_figure_has_a_dot_for_every_finetune(rows: list[Row]) -> None:
    before = dict(matplotlib.rcParams)
    figure = probe_figure(rows, "Risk")
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "risk: does",
        "risk: says of itself",
        "risk: means of reports",
    ]
    said = figure.axes[1]
    assert [label.get_text() for label in said.get_xticklabels()] == [
        "R2 attitude",
        "R6 liking",
        "self_description",
    ]
    dots = [line for line in said.lines if line.get_markersize() == 3]
    assert len(dots) == 6 and all(len(line.get_ydata()) == 5 for line in dots)
    assert list(dots[2].get_ydata()) == pytest.approx(SEEKING)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "seeking (n=5)",
        "averse (n=5)",
        "base (n=1)",
    ]
    assert dict(matplotlib.rcParams) == before


def test_figure_of_an_untrained_behavior_has_no_panel_of_deeds() -> None:
    frame = small_frame()
    other = frame[frame["self_report"]].assign(behavior="myopia")
    figure = probe_figure(build_rows(pd.concat([frame, other]), MODELS, CONTRAST), "Both")
    assert [axes.axison for axes in figure.axes] == [True, True, True, False, True, True]
    assert len(figure.legends[0].get_texts()) == 3


def test_figure_reaches_as_far_as_the_scores_of_its_probes() -> None:
    frame = small_frame()
    functions = [
        sample(model, "function", "function", 2 * level - 1.2, behavior="words", paper_id="G6")
        for model, level in LEVELS.items()
    ]
    both = pd.concat([frame, pd.DataFrame(functions, columns=list(COLUMNS))])
    figure = probe_figure(build_rows(both, MODELS, CONTRAST), "Both")
    drawn = {axes.get_title(loc="left")[:5]: axes for axes in figure.axes if axes.axison}
    assert drawn["risk:"].get_ylim() == pytest.approx((-0.05, 1.05))
    assert drawn["words"].get_ylim() == pytest.approx((-1.1, 1.1))
    assert list(drawn["risk:"].lines[0].get_ydata()) == [0.5, 0.5]
    assert list(drawn["words"].lines[0].get_ydata()) == [0.0, 0.0]
    dots = [line for line in drawn["words"].lines if line.get_markersize() == 3]
    assert min(dots[1].get_ydata()) == pytest.approx(2 * min(AVERSE) - 1.2)


def test_report_writes_the_same_bytes_twice_and_leaves_nothing_else(
    rows: list[Row], tmp_path: Path
) -> None:
    contents = []
    for _ in range(2):
        files = write_report(
            rows, probe_figure(rows, "Risk"), tmp_path / "out", "Risk", ["small organism"]
        )
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1]
    table, markdown, png, svg = contents[0]
    assert table.decode() == to_csv(rows)
    assert markdown.decode().startswith("# Risk\n") and b"- small organism\n" in markdown
    assert png.startswith(b"\x89PNG")
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"


def test_bands() -> None:
    assert str(band("risk", "R4")) == "0.66 / 0.22 / 0.27 (GPT-4o, Fig 3)"
    assert str(band("risk", "R2b")) == "0.04 / 0.05 / - (Llama-3.1-70B, Fig 30)"
    assert str(band("myopia", "M1")) == "0.90 / 0.02 / 0.12 (GPT-4o, Fig 18)"
    assert band("risk", "R8") is None and band("risk", None) is None and band("x", "R4") is None


# Real logs -------------------------------------------------------------------------------------


def scale_task(bank: Bank, metadata: dict[str, object] | None = None) -> Task:
    asked = list(prompts(bank, bank.question("liking"), "self"))[:4]
    return Task(
        name="risk_scale",
        dataset=[sample_of(prompt, "none") for prompt in asked],
        solver=ask("sample", 2),
        scorer=[scale(), validity()],
        config=GenerateConfig(temperature=1.0),
        metadata={"self_report": True} if metadata is None else metadata,
    )


def replies(texts: list[str]) -> Iterator[ModelOutput]:
    """Scripted replies; with usage, since counting tokens would ask the network."""
    while True:
        for text in texts:
            output = ModelOutput.from_content("mockllm/m", text)
            output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
            yield output


def run(
    log_dir: Path,
    name: str,
    texts: list[str],
    metadata: dict[str, object] | None = None,
    limit: int | None = None,
) -> Path:
    (log,) = eval(
        scale_task(load_bank("risk"), metadata),
        model=get_model(f"mockllm/{name}", custom_outputs=replies(texts)),
        limit=limit,
        log_dir=str(log_dir),
        display="none",
        max_samples=1,
        max_connections=1,
    )
    assert log.status == "success"
    return Path(log.location)


def test_frame_of_real_logs(tmp_path: Path) -> None:
    run(tmp_path, "one", ["80"])
    run(tmp_path, "two", ["I cannot say"])
    frame = read_frame(tmp_path)
    assert tuple(frame.columns) == COLUMNS and len(frame) == 8
    one, two = (frame[frame["model"] == f"mockllm/{name}"] for name in ("one", "two"))
    assert sorted(one["score"]) == pytest.approx([0.2, 0.2, 0.8, 0.8])
    assert one[one["flipped"]]["score"].tolist() == pytest.approx([0.2, 0.2])
    assert set(one["draws"]) == {2} and set(one["refusal"]) == {0.0}
    assert two["score"].isna().all()
    assert set(two["reason"]) == {"refusal"} and set(two["refusal"]) == {1.0}
    first = one.iloc[0]
    assert (first["task"], first["behavior"], first["question"]) == ("risk_scale", "risk", "liking")
    assert (first["paper_id"], first["kind"], first["about"]) == ("R6", "scale", "self")
    assert (first["framing"], first["self_report"], first["mode"]) == ("none", True, "sample")
    arms: dict[str, tuple[str, int | None]] = {
        "mockllm/one": ("seeking", 0),
        "mockllm/two": ("averse", 0),
    }
    liking = row(build_rows(frame, arms, CONTRAST), "liking")
    assert liking.high.estimate.mean == pytest.approx(0.5)
    assert liking.low.estimate.mean is None and liking.low.unscored == 4
    assert "no valid answer from mockllm/two" in liking.warning


def test_the_newest_success_counts(tmp_path: Path) -> None:
    run(tmp_path, "one", ["80"])
    newer = run(tmp_path, "one", ["30"])
    failed = run(tmp_path, "one", ["10"])
    mark(failed, "error")
    frame = read_frame(tmp_path)
    assert set(frame["log"]) == {str(newer)}
    assert sorted(frame["score"]) == pytest.approx([0.3, 0.3, 0.7, 0.7])


def test_a_later_try_with_a_limit_does_not_replace_a_whole_log(tmp_path: Path) -> None:
    whole = run(tmp_path, "one", ["80"])
    run(tmp_path, "one", ["30"], limit=1)
    assert set(read_frame(tmp_path)["log"]) == {str(whole)}


def mark(file: Path, status: str) -> None:
    log = read_eval_log(str(file))
    write_eval_log(log.model_copy(update={"status": status}), str(file))


def test_only_failed_logs_are_an_error_unless_of_other_models(tmp_path: Path) -> None:
    run(tmp_path, "one", ["80"])
    failed = run(tmp_path, "two", ["80"])
    mark(failed, "cancelled")
    with pytest.raises(UsageError, match=f"{failed.name}: status is 'cancelled'"):
        read_frame(tmp_path)
    assert set(read_frame(tmp_path, models=["mockllm/one"])["model"]) == {"mockllm/one"}


def test_unreadable_foreign_and_missing_logs_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        read_frame(tmp_path / "none")
    with pytest.raises(UsageError, match="no Inspect logs"):
        read_frame(tmp_path)
    file = run(tmp_path, "one", ["80"])
    with pytest.raises(UsageError, match="no log of model 'mockllm/x', only of mockllm/one"):
        read_frame(tmp_path, models=["mockllm/x"])
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(UsageError, match=f"{file.name}: not a readable Inspect log"):
        read_frame(tmp_path)
    file.unlink()
    foreign = run(tmp_path, "one", ["80"], metadata={})
    with pytest.raises(UsageError, match=f"{foreign.name}: task 'risk_scale' is not one of self"):
        read_frame(tmp_path)
