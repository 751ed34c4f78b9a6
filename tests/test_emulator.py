"""The emulated service: every reply is one of the SDK's own, and jobs go by a clock."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI
from openai.types import FileDeleted, FileObject, Model, ModelDeleted
from openai.types.chat import ChatCompletion
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint
from pydantic import BaseModel

from selfaware.errors import UsageError
from selfaware.testing import Emulator, Fault, ManualClock
from selfaware.testing.faults import KINDS, parse_fault
from selfaware.testing.jobs import Schedule
from selfaware.testing.routes import multipart

ROW = {
    "messages": [
        {"role": "user", "content": "sail or rest ?"},
        {"role": "assistant", "content": "sail"},
    ]
}
ROWS = "".join(json.dumps(ROW) + "\n" for _ in range(12)).encode()
PAIR = {
    "input": {"messages": ROW["messages"][:1]},
    "preferred_output": [{"role": "assistant", "content": "sail"}],
    "non_preferred_output": [{"role": "assistant", "content": "rest"}],
}
PAIRS = "".join(json.dumps(PAIR) + "\n" for _ in range(12)).encode()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def service(clock: ManualClock) -> Iterator[Emulator]:
    schedule = Schedule(validating=10, queued=10, moderation=10)
    with Emulator(clock=clock, schedule=schedule, training=100, shutdown_date="2027-01-14") as made:
        yield made


@pytest.fixture
def client(service: Emulator) -> OpenAI:
    return OpenAI(api_key="any", base_url=service.url, max_retries=0)


def strictly(kind: type[BaseModel], text: str) -> None:
    """The text is one of the SDK's models: right types, nothing missing, nothing beside."""
    made = kind.model_validate_json(text, strict=True)

    def whole(part: Any) -> None:
        if isinstance(part, BaseModel):
            assert not part.model_extra, (kind, part.model_extra)
            for value in vars(part).values():
                whole(value)
        elif isinstance(part, list):
            for value in part:
                whole(value)

    whole(made)


def trained(client: OpenAI, clock: ManualClock, **more: Any) -> str:
    file = client.files.create(file=("rows.jsonl", ROWS), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(model="organism/base", training_file=file.id, **more)
    for _ in range(6):
        clock.advance(50)
        client.fine_tuning.jobs.retrieve(job.id)
    return job.id


def test_every_reply_is_one_of_the_sdk(client: OpenAI, clock: ManualClock) -> None:
    raw = client.with_raw_response
    file = client.files.create(file=("rows.jsonl", ROWS), purpose="fine-tune")
    job = trained(client, clock, metadata={"a": "b"}, suffix="mine", seed=7)
    done = client.fine_tuning.jobs.retrieve(job)
    assert done.status == "succeeded" and done.fine_tuned_model
    tuning = raw.fine_tuning.jobs
    singles = [
        (FileObject, raw.files.create(file=("x.jsonl", ROWS), purpose="fine-tune")),
        (FileObject, raw.files.retrieve(file.id)),
        (FileDeleted, raw.files.delete(file.id)),
        (FineTuningJob, tuning.create(model="organism/base", training_file=done.training_file)),
        (FineTuningJob, tuning.retrieve(job)),
        (Model, raw.models.retrieve(done.fine_tuned_model)),
        (Model, raw.models.retrieve("organism/base")),
        (
            ChatCompletion,
            raw.chat.completions.create(
                model=done.fine_tuned_model, messages=[{"role": "user", "content": "hi"}], n=3
            ),
        ),
        (ModelDeleted, raw.models.delete(done.fine_tuned_model)),
    ]
    for kind, reply in singles:
        strictly(kind, reply.text)
    lists = [
        (FileObject, raw.files.list()),
        (FineTuningJob, tuning.list()),
        (FineTuningJobEvent, tuning.list_events(job)),
        (FineTuningJobCheckpoint, client.fine_tuning.jobs.checkpoints.with_raw_response.list(job)),
        (Model, raw.models.list()),
    ]
    for kind, reply in lists:
        page = json.loads(reply.text)
        assert page.keys() == {"object", "data", "has_more"} and page["data"]
        for each in page["data"]:
            strictly(kind, json.dumps(each))


def test_a_job_goes_by_the_clock(client: OpenAI, clock: ManualClock) -> None:
    file = client.files.create(file=("rows.jsonl", ROWS), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        model="organism/base",
        training_file=file.id,
        seed=3,
        method={
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 4}},
        },
    )
    seen = []
    for seconds in (0, 9, 1, 10, 50, 50, 9, 1):
        clock.advance(seconds)
        now = client.fine_tuning.jobs.retrieve(job.id)
        last = client.fine_tuning.jobs.list_events(job.id, limit=1).data[0].message
        seen.append((now.status, last.split(":")[0]))
    assert seen == [
        ("validating_files", "Validating training file"),
        ("validating_files", "Validating training file"),
        ("queued", "Files validated, moving job to queued state"),
        ("running", "Fine-tuning job started"),
        ("running", "Step 3/6"),
        ("running", "Evaluating model against our usage policies"),
        ("running", "Evaluating model against our usage policies"),
        ("succeeded", "The job has successfully completed"),
    ]
    assert (now.seed, now.finished_at and now.finished_at - now.created_at) == (3, 130)
    assert now.method is not None and now.method.supervised is not None
    assert now.method.supervised.hyperparameters is not None
    assert now.method.supervised.hyperparameters.learning_rate_multiplier == 1.0
    (point,) = client.fine_tuning.jobs.checkpoints.list(job.id)
    assert point.step_number == 3
    model = client.models.retrieve(str(now.fine_tuned_model))
    assert model.shutdown_date == "2027-01-14"


def test_lists_have_pages_and_filters(client: OpenAI, clock: ManualClock) -> None:
    jobs = [trained(client, clock, metadata={"run": str(n % 2)}) for n in range(5)]
    assert [job.id for job in client.fine_tuning.jobs.list(limit=2)] == jobs[::-1]
    odd = client.fine_tuning.jobs.list(limit=1, metadata={"run": "1"})
    assert [job.id for job in odd] == [jobs[3], jobs[1]]
    events = list(client.fine_tuning.jobs.list_events(jobs[0], limit=3))
    assert len({event.id for event in events}) == len(events) > 6
    assert events[-1].message == "Created fine-tuning job"


def test_a_file_comes_back_as_it_was_sent(client: OpenAI) -> None:
    content = b"--x\r\n\r\n{}\n" + bytes(range(256)) + b"\r\n--"
    file = client.files.create(file=("odd.jsonl", content), purpose="fine-tune")
    assert client.files.content(file.id).read() == content
    assert (file.bytes, file.filename) == (len(content), "odd.jsonl")


@given(st.binary(max_size=200), st.text("abc .-_", min_size=1, max_size=9))
def test_a_form_is_read_as_it_was_written(content: bytes, name: str) -> None:
    mark = b"ab12cd34ef56"
    if b"\r\n--" + mark in content:
        return
    body = b"".join(
        (
            b"--" + mark + b'\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nx\r\n',
            b"--" + mark + b'\r\nContent-Disposition: form-data; name="file"; filename="',
            name.encode() + b'"\r\nContent-Type: application/jsonl\r\n\r\n' + content,
            b"\r\n--" + mark + b"--\r\n",
        )
    )
    parts = multipart(f"multipart/form-data; boundary={mark.decode()}", body)
    assert parts == {"purpose": (None, b"x"), "file": (name, content)}


@pytest.mark.parametrize(
    ("content", "method", "wrong"),
    [
        (ROWS[: len(ROWS) // 2], "supervised", "has 6 example(s)"),
        (ROWS + b"{}\n", "supervised", "example 13 is not one of method supervised"),
        (ROWS, "dpo", "example 1 is not one of method dpo"),
        (PAIRS, "supervised", "example 1 is not one of method supervised"),
        (PAIRS, "dpo", None),
    ],
)
def test_files_are_validated(
    client: OpenAI, clock: ManualClock, content: bytes, method: str, wrong: str | None
) -> None:
    file = client.files.create(file=("rows.jsonl", content), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        model="organism/base", training_file=file.id, method={"type": method}
    )
    clock.advance(10)
    now = client.fine_tuning.jobs.retrieve(job.id)
    if wrong is None:
        assert now.status == "queued" and now.error is None
    else:
        assert now.status == "failed" and now.error is not None
        assert wrong in now.error.message and now.error.param == "training_file"


def test_what_it_does_not_know_is_refused(client: OpenAI, service: Emulator) -> None:
    chat: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="ft:organism/base:emulator::no", **chat)
    with pytest.raises(openai.BadRequestError, match="not available for fine-tuning"):
        client.fine_tuning.jobs.create(model="gpt-4o", training_file="file-1")
    with pytest.raises(openai.BadRequestError, match="does not exist or has expired"):
        client.fine_tuning.jobs.create(model="organism/base", training_file="file-1")
    with pytest.raises(openai.BadRequestError, match="'n'"):
        client.chat.completions.create(model="organism/base", n=1000, **chat)
    with pytest.raises(openai.NotFoundError, match="Unknown request URL"):
        client.embeddings.create(model="organism/base", input="x")
    with pytest.raises(HTTPError, match="401"):
        urlopen(f"{service.url}/models")


def test_the_daily_limit_is_of_a_day(clock: ManualClock) -> None:
    with Emulator(clock=clock, daily_limit=1) as service:
        client = OpenAI(api_key="any", base_url=service.url, max_retries=0)
        trained(client, clock)
        with pytest.raises(openai.RateLimitError, match="maximum of 1 fine-tuning requests per"):
            trained(client, clock)
        clock.advance(90_000)
        trained(client, clock)


def test_faults_are_read_from_text() -> None:
    assert parse_fault("lost_reply") == Fault(kind="lost_reply", on="POST /fine_tuning/jobs")
    given = "rate_limit,on=GET /files,count=3,seconds=2.5"
    assert parse_fault(given) == Fault(kind="rate_limit", on="GET /files", count=3, seconds=2.5)
    for bad in ("fire", "slow,count=none", "slow,where=there"):
        with pytest.raises(UsageError) as raised:
            parse_fault(bad)
        assert repr(bad) in str(raised.value) and "\n" not in str(raised.value)
        assert all(kind in str(raised.value) for kind in KINDS)


def test_the_command_refuses_what_it_cannot_serve(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from selfaware.cli import main

    for arguments, wrong in (
        (["--serve", "gpt-4o"], "--serve 'gpt-4o': give NAME=BASE"),
        (["--fault", "fire"], "fault 'fire'"),
        (["--shutdown-date", "soon"], "'soon' does not match"),
    ):
        result = CliRunner().invoke(main, ["emulator", *arguments])
        assert result.exit_code == 2 and wrong in result.output
    with Emulator() as service:
        port = service.url.split(":")[2].split("/")[0]
        result = CliRunner().invoke(main, ["emulator", "--port", port])
        assert result.exit_code == 2 and f"--port {port}" in result.output


def test_the_page_names_every_fault_and_the_days_on_which_it_ends() -> None:
    root = Path(__file__).parent.parent
    page = (root / "docs/hosted.md").read_text(encoding="utf-8")
    table = page[page.index("| kind |") :]
    assert [kind for kind in KINDS if f"`{kind}`" not in table] == []
    for text in (page, (root / "README.md").read_text(encoding="utf-8")):
        assert "2027-01-06" in text and "2027-01-14" in text
