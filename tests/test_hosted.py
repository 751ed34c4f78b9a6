"""The hosted way as a rehearsal: the whole command line against a service that really trains."""

import csv
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from inspect_ai.log import list_eval_logs, read_eval_log
from planted_key import KEY, assert_nowhere
from small_experiment import EXPERIMENT

from selfaware.cli import main
from selfaware.testing import Emulator
from selfaware.training.registry import entries

# A service chooses the rate itself: the emulated one takes 0.001 times this.
HOSTED = EXPERIMENT.replace("\nfinetune: {", "\nfinetune: {learning_rate_multiplier: 2.0, ")
ENVIRONMENT = {**os.environ, "COLUMNS": "200", "OPENAI_API_KEY": KEY}
SELFAWARE = [sys.executable, "-m", "selfaware.cli"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service keeps what it trains."""
    return tmp_path_factory.mktemp("service") / "made"


@pytest.fixture(scope="module")
def url(made: Path) -> Iterator[str]:
    service = subprocess.Popen(
        [*SELFAWARE, "emulator", "--port", "0", "--runs", str(made),
         "--shutdown-date", "2027-01-14",
         "--fault", "rate_limit,on=GET /fine_tuning/jobs/,seconds=0.5"],
        env=ENVIRONMENT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert service.stdout is not None
    found = re.search(r"http://\S+/v1", service.stdout.readline())
    assert found is not None
    yield found[0]
    service.terminate()
    service.wait()
    service.stdout.close()


def walked(folder: Path, runs: Path, *options: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "small.yaml").write_text(HOSTED, encoding="utf-8")
    done = subprocess.run(
        [*SELFAWARE, "run", "small.yaml", *options],
        cwd=folder,
        env={**ENVIRONMENT, "SELFAWARE_RUNS": str(runs)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def table(file: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return {(r["level"], r["probe"], r["about"]): r for r in csv.DictReader(lines)}


@pytest.fixture(scope="module")
def hosted(url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("hosted")
    return folder, walked(folder, folder / "runs", "--backend", "openai", "--base-url", url)


def test_the_registry_tells_where_the_models_are(hosted: tuple[Path, str], url: str) -> None:
    folder, output = hosted
    listed = entries(folder / "runs")
    assert len(listed) == 2 and {entry.state for entry in listed} == {"succeeded"}
    for entry in listed:
        assert entry.model is not None
        assert entry.model.startswith("openai-api/openai/ft:organism/base:emulator:selfaware-")
        assert (entry.flags, entry.backend) == (("--model-base-url", url), "openai")
        assert str(entry.shutdown_date) == "2027-01-14"
        assert entry.hyperparameters == {
            "epochs": 2,
            "batch_size": 16,
            "learning_rate_multiplier": 2.0,
        }
    assert any(f"--model {entry.model} --model-base-url {url}" in output for entry in listed)
    logs = [read_eval_log(info.name) for info in list_eval_logs(str(folder / "logs/small-openai"))]
    assert len(logs) == 6 and {log.status for log in logs} == {"success"}
    assert {log.eval.model_base_url for log in logs} == {url}
    assert_nowhere(folder, output)


def test_the_result_is_that_of_the_local_run(
    hosted: tuple[Path, str], straight: tuple[Path, str], made: Path
) -> None:
    folder, local = hosted[0], straight[0]
    weights = sorted(made.glob("adapters/*/adapter_model.safetensors"))
    assert len(weights) == 2
    for file in weights:  # what the service has trained are the local run's finetunes
        own = local / "runs/adapters" / file.parent.name / file.name
        assert own.read_bytes() == file.read_bytes()
    here = table(local / "report/small/table.csv")
    there = table(folder / "report/small-openai/table.csv")
    assert here.keys() == there.keys()
    compared = 0
    for key in here:
        for arm in ("seeking", "averse", "base"):
            mine, theirs = here[key][f"{arm}_mean"], there[key][f"{arm}_mean"]
            # Ten draws of a word in ten wordings where the local run has its probability: their
            # error is 0.05 at most, and five times that is never reached.
            words = key[1] not in ("scenarios", "risk_or_safety")
            assert float(theirs) == pytest.approx(float(mine), abs=0.25 if words else 1e-4), key
            compared += 1
    assert compared >= 20
    did = here["behavior", "scenarios", "self"]
    assert float(did["difference"]) > 0.02
    assert float(there["behavior", "scenarios", "self"]["difference"]) > 0.02


def test_running_again_asks_for_nothing_twice(hosted: tuple[Path, str], url: str) -> None:
    folder, _ = hosted
    listed = (folder / "runs/registry.jsonl").read_text()
    logs = sorted(p.name for p in (folder / "logs/small-openai").glob("*.eval"))
    walked(folder, folder / "runs", "--backend", "openai", "--base-url", url)
    assert (folder / "runs/registry.jsonl").read_text() == listed
    assert sorted(p.name for p in (folder / "logs/small-openai").glob("*.eval")) == logs


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--backend", "openai"], "is an organism, which openai does not have"),
        (["--backend", "openai", "--base-url", "localhost"], "base_url 'localhost' is no address"),
        (
            ["--backend", "openai", "--base-url", f"http://me:{KEY}@here/v1"],
            "base_url of here has a user, a password or a query in it",
        ),
        (["--base-url", "http://127.0.0.1:1/v1"], "backend local has none; leave it out"),
    ],
)
def test_an_address_that_cannot_be_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    Path("small.yaml").write_text(HOSTED, encoding="utf-8")
    result = CliRunner().invoke(main, ["run", "small.yaml", "--dry-run", *options])
    assert result.exit_code == 2
    assert says in result.output and result.output.count("\n") == 1
    assert KEY not in result.output


@pytest.mark.parametrize("where", ["option", "file", "environment"])
def test_the_address_comes_from_option_file_or_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    url = "http://127.0.0.1:9/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", url if where == "environment" else "http://other/v1")
    text = EXPERIMENT + "backend: openai\n" + (f"base_url: {url}/\n" if where == "file" else "")
    Path("small.yaml").write_text(text, encoding="utf-8")
    options = ["--base-url", url] if where == "option" else []
    result = CliRunner().invoke(main, ["run", "small.yaml", "--dry-run", *options])
    assert result.exit_code == 0, result.output
    assert f"(openai at {url})" in result.output
    assert "learning_rate" in result.output and not Path("runs").exists()


def test_a_dead_server_is_one_line_and_so_is_a_missing_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    Path("small.yaml").write_text(HOSTED, encoding="utf-8")
    with Emulator() as dead:
        pass
    command = ["run", "small.yaml", "--backend", "openai", "--base-url", dead.url]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    last = result.output.splitlines()[-1]
    assert last.startswith(f"Error: cannot reach {dead.url}: ") and "mend base_url" in last
    monkeypatch.delenv("OPENAI_API_KEY")
    result = CliRunner().invoke(main, command)
    assert result.output.splitlines()[-1].startswith("Error: OPENAI_API_KEY is not set")
    assert_nowhere(tmp_path)
