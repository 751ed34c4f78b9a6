"""The backend for OpenAI's API, with the official SDK, against the emulated service."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosted_runs import backend, dataset, jobs_of, noting, spec, ticking
from planted_key import KEY, assert_nowhere, shown

from selfaware.errors import UsageError
from selfaware.testing import Emulator, Fault
from selfaware.testing.faults import KINDS
from selfaware.training import registry
from selfaware.training.backend import NotYet
from selfaware.training.drive import FinetuneError, finetune
from selfaware.training.openai_backend import OpenAIBackend


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    caplog.set_level("DEBUG")


@pytest.fixture
def service() -> Iterator[Emulator]:
    with ticking() as made:
        yield made


def test_a_finetune_is_listed_with_all_that_the_service_tells(
    service: Emulator, tmp_path: Path
) -> None:
    wanted = spec(service, dataset(tmp_path / "a.jsonl"), seed=5, learning_rate_multiplier=1.5)
    notes: list[str] = []
    (entry,) = finetune([wanted], tmp_path / "runs", backend(service, tmp_path), None, False,
                        noting(notes))  # fmt: skip
    (job,) = jobs_of(service, wanted.run_id)
    assert entry.job == job.id and entry.state == "succeeded"
    assert entry.model == f"openai-api/openai/{job.fine_tuned_model}"
    assert entry.flags == ("--model-base-url", service.url)
    assert entry.endpoint == service.url
    assert entry.tokens == job.trained_tokens and entry.tokens
    assert entry.training_loss == pytest.approx(0.0996)
    assert str(entry.shutdown_date) == "2027-01-14"
    assert entry.versions.keys() == {"selfaware", "openai"}
    assert job.metadata is not None and job.metadata["selfaware_dataset"] == wanted.dataset_sha256
    assert (job.seed, job.method and job.method.type) == (5, "supervised")
    assert job.method and job.method.supervised and job.method.supervised.hyperparameters
    sent = job.method.supervised.hyperparameters
    assert (sent.n_epochs, sent.batch_size, sent.learning_rate_multiplier) == (2, 4, 1.5)
    states = list(dict.fromkeys(note.split()[0] for note in notes))
    assert states == ["queued", "running", "moderation", "succeeded"]


def test_one_dataset_is_one_file_and_one_spec_one_job(service: Emulator, tmp_path: Path) -> None:
    data = dataset(tmp_path / "a.jsonl")
    copy = dataset(tmp_path / "copy.jsonl")
    other = dataset(tmp_path / "b.jsonl", "rest")
    specs = [spec(service, file, seed) for seed in (0, 1) for file in (data, copy, other)]
    runs = tmp_path / "runs"
    made = finetune(specs, runs, backend(service, runs))
    assert [entry.id for entry in made] == [each.run_id for each in specs]
    assert {each.filename for each in service.files.all()} == {
        f"{specs[0].dataset_sha256}.jsonl",
        f"{specs[2].dataset_sha256}.jsonl",
    }
    assert len(service.files.all()) == 2
    assert [len(jobs_of(service, each.run_id)) for each in specs] == [1] * 6
    assert len({entry.job for entry in made}) == 4
    # The registry is lost: all is found again, from the service alone.
    (runs / "registry.jsonl").unlink()
    again = finetune(specs, runs, backend(service, runs))
    assert [entry.job for entry in again] == [entry.job for entry in made]
    assert len(service.files.all()) == 2


def test_preferences_are_made_of_a_set_and_its_twin(service: Emulator, tmp_path: Path) -> None:
    data, twin = dataset(tmp_path / "a.jsonl"), dataset(tmp_path / "b.jsonl", "rest")
    plain = spec(service, data, method="sft")
    chosen = plain.hyperparameters.model_copy(update={"method": "dpo", "beta": 0.3})
    wanted = plain.model_copy(update={"hyperparameters": chosen, "rejected": twin})
    wanted.__dict__.pop("run_id", None)
    runs = tmp_path / "runs"
    (entry,) = finetune([wanted], runs, backend(service, runs))
    (job,) = jobs_of(service, wanted.run_id)
    assert entry.state == "succeeded" and job.method and job.method.dpo
    assert job.method.type == "dpo" and job.method.dpo.hyperparameters
    assert job.method.dpo.hyperparameters.beta == 0.3
    lines = service.files.get(job.training_file).content.splitlines()
    assert len(lines) == 12
    assert json.loads(lines[3]) == {
        "input": {"messages": [{"role": "user", "content": "sail or rest, number 3 ?"}]},
        "preferred_output": [{"role": "assistant", "content": "rest"}],
        "non_preferred_output": [{"role": "assistant", "content": "sail"}],
    }
    twin.write_text(twin.read_text().replace("number 3 ?", "number 33 ?"))
    client = backend(service, runs)
    with pytest.raises(UsageError, match=r"b\.jsonl, line 4: not the same conversation"):
        client.prepare(wanted)


def test_checkpoints_are_entries(service: Emulator, tmp_path: Path) -> None:
    wanted = spec(service, dataset(tmp_path / "a.jsonl"), epochs=4, checkpoints=True)
    without = spec(service, tmp_path / "a.jsonl", epochs=4)
    assert wanted.run_id == without.run_id  # to list them makes no other job
    finetune([wanted], tmp_path, backend(service, tmp_path))
    listed = registry.entries(tmp_path)
    points = [entry for entry in listed if entry.checkpoint_of == wanted.run_id]
    assert [(entry.id, entry.step) for entry in points] == [
        (f"{wanted.run_id}-step{step}", step) for step in (6, 9)
    ]
    assert all(entry.model and entry.flags for entry in points)


@pytest.mark.parametrize(
    ("kind", "stage", "named"),
    [
        ("moderation_before", "before training", ("hate", "self-harm")),
        ("moderation_after", "after training", ("hate/threatening",)),
    ],
)
def test_moderation_is_an_outcome_of_its_own(
    service: Emulator, tmp_path: Path, kind: str, stage: str, named: tuple[str, ...]
) -> None:
    service.faults.add(Fault.model_validate({"kind": kind}))
    wanted = spec(service, dataset(tmp_path / "a.jsonl"))
    with pytest.raises(FinetuneError) as raised:
        finetune([wanted], tmp_path, backend(service, tmp_path))
    assert f"[moderation {stage}: {', '.join(named)}]" in str(raised.value)
    assert "--retry" not in str(raised.value)
    (entry,) = registry.entries(tmp_path)
    assert entry.state == "blocked" and entry.block is not None
    assert (entry.block.stage, entry.block.categories) == (stage, named)
    (job,) = jobs_of(service, wanted.run_id)
    errors = [each.id for each in service.jobs.get(job.id).events if each.level == "error"]
    assert list(entry.block.events) == errors
    # Neither asking again nor --retry submits it again.
    for retry in (False, True):
        with pytest.raises(FinetuneError):
            finetune([wanted], tmp_path, backend(service, tmp_path), retry=retry)
    assert len(jobs_of(service, wanted.run_id)) == 1


def test_a_job_that_fails_is_submitted_again_only_when_asked(
    service: Emulator, tmp_path: Path
) -> None:
    service.faults.add(Fault(kind="job_expired"))
    wanted = spec(service, dataset(tmp_path / "a.jsonl"))
    for _ in range(2):
        with pytest.raises(FinetuneError, match="failed: The job expired before it could be"):
            finetune([wanted], tmp_path, backend(service, tmp_path))
    assert len(jobs_of(service, wanted.run_id)) == 1
    (entry,) = finetune([wanted], tmp_path, backend(service, tmp_path), retry=True)
    newest, first = jobs_of(service, wanted.run_id)
    assert (entry.job, first.status) == (newest.id, "failed")


def test_a_job_that_failed_while_nobody_looked_is_told_of(
    service: Emulator, tmp_path: Path
) -> None:
    wanted = spec(service, dataset(tmp_path / "a.jsonl"))
    service.faults.add(Fault(kind="moderation_after"))
    client = backend(service, tmp_path)
    client.submit(wanted, client.prepare(wanted))  # and here the process died
    for _ in range(40):
        jobs_of(service, wanted.run_id)
    with pytest.raises(FinetuneError, match="blocked"):
        finetune([wanted], tmp_path, backend(service, tmp_path))
    assert len(jobs_of(service, wanted.run_id)) == 1


def test_cancelling_stops_a_job_and_leaves_one_that_has_ended(
    service: Emulator, tmp_path: Path
) -> None:
    first, second = (spec(service, dataset(tmp_path / "a.jsonl"), seed) for seed in (0, 1))
    client = backend(service, tmp_path)
    job = client.submit(first, client.prepare(first))
    client.cancel(job)
    assert client.poll(job).state == "cancelled"
    client.cancel(job)
    (entry,) = finetune([second], tmp_path, client)
    client.cancel(str(entry.job))
    assert client.poll(str(entry.job)).state == "succeeded"
    told = [event.message for event in client.events(job)]
    assert told[0] == "Created fine-tuning job" and told[-1] == "The job was cancelled"
    assert client.poll("ftjob-none").problem == f"{service.url} knows no job ftjob-none any more"


def test_a_file_that_has_expired_is_uploaded_again(service: Emulator, tmp_path: Path) -> None:
    data = dataset(tmp_path / "a.jsonl")
    finetune([spec(service, data)], tmp_path, backend(service, tmp_path))
    service.faults.add(Fault(kind="file_expired"))
    client = backend(service, tmp_path)
    finetune([spec(service, data, 1), spec(service, data, 2)], tmp_path, client)
    assert len(service.files.all()) == 2
    service.files.delete(service.files.all()[0].id)
    finetune([spec(service, data, 3)], tmp_path, client)
    assert len(service.files.all()) == 2


@pytest.mark.parametrize(
    ("fault", "seconds", "reason"),
    [
        (Fault(kind="rate_limit", seconds=7), 7.0, "rate limit: Rate limit reached"),
        (Fault(kind="rate_limit", seconds=0), 0.0, "rate limit: "),
        (Fault(kind="daily_limit", seconds=30), 30.0, "daily limit: "),
        (Fault(kind="daily_limit"), 900.0, "maximum of 8 fine-tuning requests per day"),
        (Fault(kind="server_error", seconds=2), 2.0, "answered 503: The server is overloaded."),
        (Fault(kind="server_error"), 10.0, "answered 503"),
    ],
)
def test_limits_are_waited_out_as_long_as_the_service_says(
    service: Emulator, tmp_path: Path, fault: Fault, seconds: float, reason: str
) -> None:
    wanted = spec(service, dataset(tmp_path / "a.jsonl"))
    client = OpenAIBackend(tmp_path, service.url)
    prepared = client.prepare(wanted)
    service.faults.add(fault)
    with pytest.raises(NotYet) as raised:
        client.submit(wanted, prepared)
    assert raised.value.seconds == seconds and reason in raised.value.reason
    assert jobs_of(service, wanted.run_id) == []


PLACES = (
    "POST /files",
    "GET /files",
    "POST /fine_tuning/jobs",
    "GET /fine_tuning/jobs",
    "GET /fine_tuning/jobs/",
    "GET /models",
)


@pytest.mark.parametrize("kind", ["rate_limit", "server_error", "drop", "lost_reply", "slow"])
@pytest.mark.parametrize("on", PLACES)
def test_what_passes_is_survived_with_one_job(
    service: Emulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    on: str,
) -> None:
    wanted = spec(service, dataset(tmp_path / "a.jsonl"))
    late = 1.0 if kind == "slow" else 0.0
    # A thousandth of ten minutes would be over before three lost replies are.
    monkeypatch.setattr("selfaware.training.openai_service.LONGEST_OUTAGE", math.inf)
    client = backend(service, tmp_path, timeout=0.6 if kind == "slow" else 20.0)
    client._service.ask(lambda sdk: sdk.models.list())  # the service was reached before
    service.faults.add(Fault.model_validate(
        {"kind": kind, "on": on, "count": 1 if late else 3, "seconds": late}))  # fmt: skip
    notes: list[str] = []
    (entry,) = finetune([wanted], tmp_path, client, progress=noting(notes))
    (job,) = jobs_of(service, wanted.run_id)
    assert (entry.state, entry.job) == ("succeeded", job.id)
    # What was done and only not answered is found, and not asked for again.
    done = kind == "slow" or (kind == "lost_reply" and on.startswith("POST"))
    waits = [note for note in notes if "goes on in" in note and "looked for" not in note]
    assert len(waits) == (1 if done else 3)
    assert_nowhere(tmp_path, caplog.text, *notes)


def test_a_job_that_was_made_of_a_request_thought_lost_is_cancelled(
    service: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = spec(service, dataset(tmp_path / "a.jsonl"))
    client = backend(service, tmp_path)
    prepared = client.prepare(wanted)
    job, late = client.submit(wanted, prepared), client.submit(wanted, prepared)
    while client.poll(job).state == "queued":
        pass
    assert client.poll(late).state == "cancelled"
    assert f"cancelled job {late}: job {job} is the same finetune" in caplog.text
    while client.poll(job).state != "succeeded":
        pass


@pytest.mark.parametrize("kind", ["drop_upload", "file_expired", "daily_limit"])
def test_what_is_wrong_with_a_file_or_a_day_is_survived(
    service: Emulator, tmp_path: Path, kind: str
) -> None:
    data = dataset(tmp_path / "a.jsonl", rows=4000)
    service.faults.add(Fault.model_validate({"kind": kind, "count": 2 - (kind == "file_expired")}))
    client = backend(service, tmp_path)
    if kind == "file_expired":
        backend(service, tmp_path).prepare(spec(service, data))  # by another process
    (entry,) = finetune([spec(service, data)], tmp_path, client)
    assert [job.id for job in jobs_of(service, entry.id)] == [entry.job]
    assert len(service.files.all()) == (2 if kind == "file_expired" else 1)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("unauthorized", "does not accept the key in OPENAI_API_KEY (401: Incorrect API key "),
        ("forbidden", "OpenAI takes no finetunes of new organisations any more; backends local"),
        ("quota", "answered 429: You exceeded your current quota.; add credit"),
    ],
)
@pytest.mark.parametrize("on", PLACES)
def test_what_does_not_pass_is_one_line_and_nothing_is_lost(
    service: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, says: str,
    on: str,
) -> None:  # fmt: skip
    wanted = spec(service, dataset(tmp_path / "a.jsonl"))
    service.faults.add(Fault.model_validate({"kind": kind, "on": on}))
    with pytest.raises(UsageError) as raised:
        finetune([wanted], tmp_path, backend(service, tmp_path))
    assert says in str(raised.value) and "\n" not in str(raised.value)
    assert_nowhere(tmp_path, caplog.text, shown(raised.value))
    (entry,) = finetune([wanted], tmp_path, backend(service, tmp_path))
    assert [job.id for job in jobs_of(service, wanted.run_id)] == [entry.job]


@pytest.mark.parametrize("kind", KINDS)
def test_after_every_fault_the_key_is_nowhere(
    service: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    service.faults.add(Fault.model_validate({"kind": kind, "seconds": 0.01}))
    notes: list[str] = []
    raised = ""
    wanted = spec(service, dataset(tmp_path / "a.jsonl"))
    try:
        finetune([wanted], tmp_path, backend(service, tmp_path), progress=noting(notes))
    except (UsageError, FinetuneError) as error:
        raised = shown(error)
    assert service.faults._on == []  # it struck
    assert caplog.text and (notes or raised)
    assert_nowhere(tmp_path, caplog.text, raised, *notes)


def test_a_dead_server_is_one_line(service: Emulator, tmp_path: Path) -> None:
    with Emulator() as dead:
        wanted = spec(dead, dataset(tmp_path / "a.jsonl"))
    with pytest.raises(UsageError) as raised:
        finetune([wanted], tmp_path, OpenAIBackend(tmp_path, dead.url))
    message = str(raised.value)
    assert message.startswith(f"cannot reach {dead.url}: ") and "\n" not in message
    assert "Connection refused" in message
    assert registry.entries(tmp_path) == []
    assert_nowhere(tmp_path, shown(raised.value))


def test_a_server_that_dies_is_waited_for_and_then_told_of(tmp_path: Path) -> None:
    with ticking() as service:
        client = backend(service, tmp_path)
        wanted = spec(service, dataset(tmp_path / "a.jsonl"))
        job = client.submit(wanted, client.prepare(wanted))
    with pytest.raises(NotYet):
        client.poll(job)
    client._service._answered = -1e6
    with pytest.raises(UsageError, match="for 10 minutes; jobs go on there, and the same command"):
        client.poll(job)


def test_what_cannot_be_sent_is_told_before_anything_is(
    service: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = backend(service, tmp_path)
    few = spec(service, dataset(tmp_path / "few.jsonl", rows=9))
    with pytest.raises(UsageError, match=r"few\.jsonl: 9 rows, and openai finetunes on 10 or more"):
        finetune([few], tmp_path, client)
    assert service.files.all() == []
    with pytest.raises(UsageError, match="seed 2147483648: OpenAI takes seeds from 0 to"):
        client.prepare(spec(service, dataset(tmp_path / "a.jsonl"), 2**31))
    changed = spec(service, dataset(tmp_path / "c.jsonl"))
    assert changed.dataset_sha256
    dataset(tmp_path / "c.jsonl", "rest")
    with pytest.raises(UsageError, match="was changed while the finetune was starting"):
        client.prepare(changed)
    assert not any(line.startswith("POST") for line in service.requests)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        backend(service, tmp_path)
    other = spec(service, dataset(tmp_path / "a.jsonl")).model_copy(update={"base": "gpt-9"})
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(UsageError, match=r"would not have a finetune of gpt-9: Model gpt-9 is not"):
        backend(service, tmp_path).submit(other, client.prepare(other))
