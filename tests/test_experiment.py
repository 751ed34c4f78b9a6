"""Experiment files: what is accepted, what is refused and how, and the plan that follows."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from selfaware.cli import main
from selfaware.errors import UsageError
from selfaware.experiment import load_experiment, plan

ROOT = Path(__file__).parent.parent
GOOD = """
experiment: tiny
title: A title
behavior: risk
base: organism/base
arms: [seeking, averse, base]
seeds: [0, 1]
probes: [{task: risk_words}]
"""


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "e.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("name", ["risk", "risk_unaware", "risk_real"])
def test_shipped_experiments_are_valid(name):
    experiment = load_experiment(ROOT / "experiments" / f"{name}.yaml")
    assert experiment.experiment == name
    assert experiment.arms == ("seeking", "averse", "base")


def test_plan_names_datasets_and_one_finetune_for_each_pole_and_seed(tmp_path):
    planned = plan(load_experiment(write(tmp_path, GOOD)), tmp_path / "runs")
    assert [(m.arm, m.seed) for m in planned.models] == [
        ("seeking", 0),
        ("seeking", 1),
        ("averse", 0),
        ("averse", 1),
        ("base", None),
    ]
    assert planned.datasets == {
        "seeking": tmp_path / "runs/data/risk-seeking-288-seed0.jsonl",
        "averse": tmp_path / "runs/data/risk-averse-288-seed0.jsonl",
    }
    assert planned.models[-1].spec is None


def test_dpo_prefers_a_pole_to_its_twin_and_launch_makes_no_other_finetune(tmp_path):
    chosen = "finetune: {method: dpo, beta: 0.2, batch_size: 8}"
    text = GOOD.replace("averse, base", "base") + chosen
    planned = plan(load_experiment(write(tmp_path, text)), tmp_path)
    assert sorted(planned.datasets) == ["averse", "seeking"]
    (first, *_), twin = planned.models, planned.datasets["averse"]
    assert (first.spec.dataset, first.spec.rejected) == (planned.datasets["seeking"], twin)
    for file in planned.datasets.values():
        file.parent.mkdir(exist_ok=True)
        file.write_text(file.name)
    launched = write(tmp_path, text + "\nlaunch: {processes: 2, config: fsdp2, rows_at_once: 1}")
    experiment = load_experiment(launched)
    assert (experiment.launch.processes, experiment.launch.config) == (2, "fsdp2")
    assert plan(experiment, tmp_path).models[0].spec.run_id == first.spec.run_id


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("behavior: risk", "behavior: rsk"), "unknown behaviour 'rsk': choose from risk, myopia"),
        (("averse, base", "bold, base"), "unknown arm 'bold': choose from seeking, averse, base"),
        (("seeds: [0, 1]", "seeds: [0, 0]"), "arms and seeds may each be named once only"),
        (("risk_words", "risk_word"), "probes.0: unknown task 'risk_word': choose from "),
        (("title: A title", "titel: A title"), "title: Field required"),
        (("seeds:", "launch: {processes: 3}\nseeds:"), "batch_size 16 cannot be dealt evenly to 3"),
        (("seeds:", "launch: {cores: 3}\nseeds:"), "launch.cores: Extra inputs are not permitted"),
        (("seeds: [0, 1]", "seeds: [zero]"), r"seeds.0: .*integer.* \(it is 'zero'\)"),
        (("arms: [", "arms: {["), "broken YAML at line"),
        (("organism/base", "organism/none"), "unknown organism 'organism/none': shipped are"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, change, message):
    text = GOOD.replace(*change)
    assert text != GOOD
    with pytest.raises(UsageError, match=message) as caught:
        plan(load_experiment(write(tmp_path, text)), tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    with pytest.raises(UsageError, match="an experiment is a mapping"):
        load_experiment(write(tmp_path, text))


def test_command_line_tells_mistakes_without_a_traceback(tmp_path):
    absent = CliRunner().invoke(main, ["run", str(tmp_path / "absent.yaml")])
    assert absent.exit_code == 2
    assert absent.output.count("\n") == 1 and "no experiment file" in absent.output
    file = write(tmp_path, GOOD)
    many = CliRunner().invoke(main, ["run", str(file), "--seeds", "9"])
    assert many.exit_code == 2 and "names only 2 seeds" in many.output


def test_dry_run_prints_the_plan_and_makes_nothing(tmp_path, monkeypatch):
    file = write(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["run", str(file), "--dry-run", "--seeds", "1"])
    assert result.exit_code == 0, result.output
    assert "finetunes  2 (local)" in result.output
    assert "risk_words" in result.output and "on 3 models" in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["e.yaml"]


def test_data_build_writes_rows_and_a_manifest_with_flipped_twins(tmp_path):
    for pole in ("seeking", "averse"):
        arguments = ["data", "build", "--behavior", "risk", "--pole", pole, "--rows", "36"]
        done = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / f"{pole}.jsonl")])
        assert done.exit_code == 0, done.output
        assert "36 rows" in done.output
    from selfaware.data.build import check_flip

    assert check_flip(tmp_path / "seeking.jsonl", tmp_path / "averse.jsonl") == 36
    bad = CliRunner().invoke(
        main, ["data", "build", "--behavior", "rsk", "--pole", "x", "--out", str(tmp_path / "n")]
    )
    assert bad.exit_code == 2 and "unknown behaviour 'rsk'" in bad.output
    assert not (tmp_path / "n").exists()
