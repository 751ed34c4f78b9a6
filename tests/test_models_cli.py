"""`selfaware models`: what is listed and shown, what is verified, and how it is stopped."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tiny_models import save_adapter, save_base

from selfaware.cli import main
from selfaware.data.build import build
from selfaware.testing import Emulator, ManualClock
from selfaware.testing.jobs import Schedule
from selfaware.training import registry
from selfaware.training.checks import check_upload, write_record
from selfaware.training.drive import finetune
from selfaware.training.entry import Entry, Use
from selfaware.training.fingerprint import fingerprint
from selfaware.training.locks import run_lock
from selfaware.training.openai_backend import OpenAIBackend
from selfaware.training.spec import FinetuneSpec
from selfaware.training.standing import shutdown_warning, standing

KEY = "sk-planted-0123456789abcdef"
TODAY = registry.now().date()
QUICK = Schedule(validating=0.0, queued=0.0, moderation=0.0)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SELFAWARE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    return tmp_path / "runs"


def models(*arguments: str, answer: str | None = None) -> Result:
    done = CliRunner().invoke(main, ["models", *arguments], input=answer)
    assert KEY not in done.output
    return done


def an_entry(run_id: str, **changes: object) -> Entry:
    content = {
        "id": run_id,
        "created": registry.now(),
        "base": "organism/base",
        "seed": 0,
        "backend": "local",
        "model": f"selfaware/{run_id}",
    }
    made = Entry.model_validate({**content, **changes})
    return made.model_copy(update={"model": None}) if made.state != "succeeded" else made


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    build("risk", "seeking", 12, 0, tmp_path / "d.jsonl")
    return tmp_path / "d.jsonl"


@pytest.fixture
def service() -> Iterator[Emulator]:
    ends = TODAY + timedelta(days=54)
    with Emulator(schedule=QUICK, training=0.0, shutdown_date=ends.isoformat()) as made:
        yield made


def hosted(dataset: Path, service: Emulator, seed: int = 0) -> FinetuneSpec:
    return FinetuneSpec(
        base="organism/base", dataset=dataset, backend="openai", endpoint=service.url, seed=seed
    )


@pytest.fixture
def made(runs: Path, dataset: Path, service: Emulator) -> Entry:
    spec = hosted(dataset, service)
    uses = {spec.run_id: Use(experiment="risk", arm="seeking")}
    with closing(OpenAIBackend(runs, service.url, patience=0.01)) as backend:
        return finetune([spec], runs, backend, uses)[0]


def test_an_empty_registry_says_what_fills_it(runs: Path) -> None:
    done = models()
    assert (done.exit_code, done.output) == (
        0, f"no finetunes in {runs} yet: `selfaware run FILE` makes them\n",
    )  # fmt: skip
    assert json.loads(models("--json").output) == []


def test_finetunes_are_listed_with_arm_base_seed_backend_and_call(runs: Path) -> None:
    registry.append(runs, an_entry("one", pole="seeking"))
    flags = ("--model-base-url", "http://127.0.0.1:1/v1")
    uses = (Use(experiment="risk", arm="averse"), Use(experiment="other", arm="averse"))
    registry.append(
        runs, an_entry("two", seed=3, backend="openai", model="openai/ft:x", flags=flags, uses=uses)
    )
    head, *rows = models().output.splitlines()
    assert head.split() == ["id", "state", "arm", "base", "seed", "backend", "model"]
    assert [row.split() for row in rows] == [
        ["one", "succeeded", "seeking", "organism/base", "0", "local", "selfaware/one"],
        ["two", "succeeded", "averse", "organism/base", "3", "openai", "openai/ft:x", *flags],
    ]

    def ids(*options: str) -> list[str]:
        return [one["id"] for one in json.loads(models("--json", *options).output)]

    assert ids() == ["one", "two"]
    assert ids("--arm", "seeking") == ["one"] and ids("--arm", "averse") == ["two"]
    assert ids("--experiment", "other") == ["two"]
    assert ids("--state", "failed") == []
    assert models("--arm", "x").output == f"none of the 2 finetunes in {runs} fits\n"
    stray = models("--arm", "x", "verify")
    assert stray.exit_code == 2 and "Error: --arm: give it after `verify`" in stray.output


def test_a_model_that_is_soon_or_already_shut_down_is_warned_about(runs: Path) -> None:
    today = date(2026, 11, 21)
    for days, told in (
        (-1, "was shut down on 2026-11-20: it cannot be asked any more"),
        (0, "was shut down on 2026-11-21"),
        (1, "shuts down on 2026-11-22, in 1 day:"),
        (90, "shuts down on 2027-02-19, in 90 days:"),
        (91, None),
    ):
        entry = an_entry("one", shutdown_date=today + timedelta(days=days))
        warning = shutdown_warning(entry, today)
        assert warning is None if told is None else told in str(warning)
    registry.append(runs, an_entry("one", shutdown_date=TODAY + timedelta(days=10)))
    listed = models().output.splitlines()
    assert listed[-1].startswith("warning: one: selfaware/one shuts down on ")
    assert "warning: one:" in models("show", "one").output
    assert json.loads(models("--json").output)[0]["warning"].endswith("or train anew")


HOLD = """
import sys, time
from pathlib import Path
from selfaware.training.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def held(runs: Path) -> Iterator[None]:
    """Another process makes the finetune `one`."""
    argv = [sys.executable, "-c", HOLD, str(run_lock(runs, "one"))]
    holder = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    yield
    holder.kill()
    holder.communicate()


def test_a_local_finetune_that_nobody_makes_is_stopped(runs: Path) -> None:
    for state in ("queued", "running", "succeeded", "failed", "cancelled", "blocked"):
        registry.append(runs, an_entry(f"l-{state}", state=state))
    registry.append(runs, an_entry("h-running", state="running", backend="openai", job="j"))
    shown = {one["id"]: one["standing"] for one in json.loads(models("--json").output)}
    assert shown == {
        "l-queued": "stopped", "l-running": "stopped", "l-succeeded": "succeeded",
        "l-failed": "failed", "l-cancelled": "cancelled", "l-blocked": "blocked",
        "h-running": "running",
    }  # fmt: skip
    told = models().output
    assert "l-running is stopped; nobody is making it: `selfaware run FILE` goes on with it" in told
    assert "the job goes on at openai, `selfaware run FILE` follows it" in told
    assert json.loads(models("--state", "stopped", "--json").output)[1]["id"] == "l-running"


def test_one_that_another_process_makes_is_running_and_left_alone(runs: Path, held: None) -> None:
    entry = registry.append(runs, an_entry("one", state="running"))
    assert standing(runs, entry).state == "running"
    done = models("cancel", "one", "--yes")
    assert done.exit_code == 2
    assert (
        "another process is making it: stop that one (Ctrl-C where `selfaware run`" in done.output
    )
    assert registry.history(runs) == [entry]


def test_show_tells_everything_about_a_hosted_finetune(runs: Path, made: Entry) -> None:
    told = models("show", made.id[:6]).output
    assert f"id              {made.id}" in told
    assert "uses            risk/seeking" in told
    call = (
        f"inspect eval selfaware/risk_scale --model {made.model} --model-base-url {made.endpoint}"
    )
    assert call in told
    history = told.partition("history\n")[2].partition("\n\n")[0].splitlines()
    assert history[0].endswith("  queued")
    assert history[-2].endswith("  succeeded") and history[-1].endswith("  succeeded (uses)")
    rows = told.partition("rows as trained on\n")[2].splitlines()
    first = json.loads((runs / "records" / f"{made.id}.json").read_text())["examples"][0]
    assert rows[1].split(None, 1)[1] == json.dumps(f"user: {first[0]['content']}")
    assert rows[2].split() == ["supervised", json.dumps(first[1]["content"])]
    content = json.loads(models("show", made.id, "--json").output)
    assert content["calls"][0] == {
        "model": made.model, "flags": list(made.flags), "needs": content["calls"][0]["needs"],
    }  # fmt: skip
    assert len(content["rows_as_trained_on"]) == 3
    assert KEY not in "".join(file.read_text() for file in runs.rglob("*") if file.is_file())


def test_verify_asks_the_service_for_its_models(
    runs: Path, made: Entry, service: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = TODAY + timedelta(days=54)
    registry.append(runs, made.model_copy(update={"shutdown_date": None}))
    done = models("verify")
    assert (done.exit_code, done.output) == (
        0, f"{made.id}  ok: until {ends}\n1 finetunes, 0 with faults\n",
    )  # fmt: skip
    assert registry.require(runs, made.id).shutdown_date == ends
    past = models("adopt", "ft:gpt-4.1-2025-04-14:org::gone", "--base-url", service.url)
    assert past.exit_code == 0, past.output
    done = models("verify")
    assert done.exit_code == 1
    assert "missing: the service has no openai/ft:gpt-4.1-2025-04-14:org::gone" in done.output
    assert "2 finetunes, 1 with faults" in done.output
    monkeypatch.delenv("OPENAI_API_KEY")
    done = models("verify", made.id)
    assert done.exit_code == 1 and "not asked: OPENAI_API_KEY is not set" in done.output


def test_verify_finds_weights_that_were_changed_or_are_gone(runs: Path, tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    for seed, name in enumerate(("good", "changed", "gone", "old")):
        folder = save_adapter(runs / "adapters" / name, base, seed)
        known = None if name == "old" else fingerprint(folder)
        entry = an_entry(name, adapter=f"adapters/{name}", adapter_sha256=known)
        registry.append(runs, entry)
    registry.append(runs, an_entry("unfinished", state="failed"))
    weights = runs / "adapters/changed/adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (runs / "adapters/gone/adapter_model.safetensors").unlink()
    (runs / "adapters/gone/adapter_config.json").unlink()
    done = models("verify")
    assert done.exit_code == 1
    assert [line.split(":")[0] for line in done.output.splitlines()] == [
        "good  ok", "changed  changed", "gone  missing", "old  no hash",
        "4 finetunes, 2 with faults",
    ]  # fmt: skip
    assert models("verify", "good", "old").exit_code == 0
    assert models("verify", "nothing").exit_code == 2


def test_cancelling_asks_once_and_stops_the_job_at_its_service(runs: Path, dataset: Path) -> None:
    with Emulator(clock=ManualClock()) as service:
        backend = OpenAIBackend(runs, service.url)
        entries = []
        for seed in (0, 1):
            spec = hosted(dataset, service, seed)
            write_record(runs, check_upload(spec))
            job = backend.submit(spec, backend.prepare(spec))
            entries.append(
                registry.append(
                    runs,
                    an_entry(
                        spec.run_id, state="queued", backend="openai", endpoint=service.url, job=job
                    ),
                )
            )
        done = registry.append(runs, an_entry("done"))
        declined = models("cancel", "--all", answer="n\n")
        assert declined.exit_code == 1 and "cancel 2? [y/N]: n" in declined.output
        assert backend.poll(str(entries[0].job)).state == "queued"
        one = models("cancel", entries[0].id, answer="y\n")
        assert one.exit_code == 0, one.output
        assert one.output.count("[y/N]") == 1
        assert f"{entries[0].id}  stopped: cancelled at openai" in one.output
        states = [backend.poll(str(entry.job)).state for entry in entries]
        assert states == ["cancelled", "queued"]
        assert registry.require(runs, entries[0].id).state == "cancelled"
        assert models("cancel", "--all", "--yes").exit_code == 0
        assert backend.poll(str(entries[1].job)).state == "cancelled"
        nothing = models("cancel", "--all").output
        assert nothing == "nothing to cancel: every finetune is done\n"
        ended = models("cancel", done.id, "--yes")
        assert ended.exit_code == 2 and "it has succeeded already" in ended.output
    for wrong in ((), ("one", "--all")):
        assert "give the ids to cancel, or --all" in models("cancel", *wrong).output


def test_a_dead_service_keeps_no_other_finetune_from_being_cancelled(runs: Path) -> None:
    dead = {"backend": "openai", "endpoint": "http://127.0.0.1:9/v1", "job": "ftjob-1"}
    registry.append(runs, an_entry("far", state="running", **dead))
    registry.append(runs, an_entry("near", state="running"))
    done = models("cancel", "--all", "--yes")
    assert done.exit_code == 2
    assert "near  stopped: nobody was making it; it is marked as cancelled" in done.output
    last = done.output.splitlines()[-1]
    assert last.startswith("Error: 1 of 2 not cancelled; first: cannot reach http://127.0.0.1:9/v1")
    assert [entry.state for entry in registry.entries(runs)] == ["running", "cancelled"]
