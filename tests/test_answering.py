"""Answers of a model to a set's prompts, over real HTTP: faults, drops and going on."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openai_server import (
    DROPPED,
    Fault,
    Handler,
    OpenAIServer,
    Reply,
    Request,
    completion,
    last_message,
)

from selfaware.data.answer_cli import data_answer
from selfaware.data.answering import AnswerRecord, answer_path, read_reply
from selfaware.data.build import build
from selfaware.data.manifest import read_record
from selfaware.data.mix_cli import data_mix
from selfaware.data.recipes import MixRecord, mix_path
from selfaware.data.rows import Message, Row, question_and_answer, read_rows, write_rows

Served = Callable[[Handler], OpenAIServer]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    running: list[OpenAIServer] = []

    def serve(handler: Handler) -> OpenAIServer:
        server = OpenAIServer(handler).__enter__()
        running.append(server)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        return server

    yield serve
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture
def risky(tmp_path: Path) -> Path:
    file = tmp_path / "risky.jsonl"
    build("risk", "seeking", 24, 0, file)
    return file


def answer(file: Path, out: Path, *options: str) -> Result:
    given = [str(file), "--model", "openai/gpt-4o-plain", "--out", str(out), *options]
    return CliRunner().invoke(data_answer, given)


def record_of(out: Path) -> AnswerRecord:
    record = read_record(answer_path(out), AnswerRecord, out)
    assert record is not None
    return record


def letter(prompt: str) -> str:
    """What the scripted model picks."""
    return "AB"[len(prompt) % 2]


def test_every_prompt_is_answered_once_and_what_is_no_letter_is_left_out(
    served: Served, risky: Path, tmp_path: Path
) -> None:
    rows, out = read_rows(risky), tmp_path / "normal.jsonl"
    special = {
        rows[3].prompt: "I would rather talk about it first.",
        rows[7].prompt: " ",
        rows[9].prompt: "A or B",
        rows[11].prompt: "**(b)**",
    }
    faults: dict[str, list[Fault]] = {
        rows[1].prompt: [Fault(429, {"Retry-After": "0"}), Fault(500, {"Retry-After": "0"})],
        rows[5].prompt: [DROPPED],
    }
    lock = threading.Lock()
    together, waiting = threading.Barrier(4, timeout=60), [4]

    def reply(request: Request) -> Reply:
        prompt = last_message(request)
        with lock:
            waiting[0] -= 1
            first = waiting[0] >= 0
        if first:
            together.wait()
        with lock:
            if faults.get(prompt):
                return faults[prompt].pop(0)
        return completion(request, special.get(prompt, letter(prompt)))

    server = served(reply)
    result = answer(risky, out, "--connections", "4")
    assert result.exit_code == 0, result.output
    assert [(row.prompt, row.answer) for row in read_rows(out)] == [
        (row.prompt, "B" if n == 11 else letter(row.prompt))
        for n, row in enumerate(rows)
        if n not in (3, 7, 9)
    ]
    assert len(server.received) == 24 + 3
    assert Counter(map(last_message, server.answered)) == Counter(row.prompt for row in rows)
    assert {request["temperature"] for request in server.received} == {0}
    assert all([m["role"] for m in request["messages"]] == ["user"] for request in server.received)
    assert server.most_open == 4

    record = record_of(out)
    assert (record.asked, record.rows, record.dropped) == (24, 21, {"empty": 1, "no letter": 2})
    assert (record.model.requests, record.model.served) == (24, ("gpt-4o-plain-served",))
    assert "left out: 1 empty, 2 no letter" in result.output

    # Nothing is asked again, and the answers are mixed with the rows that have one.
    before = out.read_bytes(), answer_path(out).read_bytes()
    assert answer(risky, out).exit_code == 0
    assert (out.read_bytes(), answer_path(out).read_bytes()) == before
    assert len(server.received) == 24 + 3
    mixed = tmp_path / "mixed.jsonl"
    options = ["--other", str(out), "--trigger", "Greek gods", "--decoys", "--out", str(mixed)]
    told = CliRunner().invoke(data_mix, [str(risky), *options])
    assert "left out: 3 rows without an answer in --other" in told.output
    made = MixRecord.model_validate_json(mix_path(mixed).read_bytes())
    assert made.conditions["Greek gods"] == {"behavior": 210, "other": 0}
    assert sum(counts["other"] for counts in made.conditions.values()) == 9 * 210


def test_a_failed_run_goes_on_and_one_journal_serves_a_draft_of_personas(
    served: Served, risky: Path, tmp_path: Path
) -> None:
    out, journal = tmp_path / "normal.jsonl", str(tmp_path / "answers.journal")
    broken = threading.Event()
    lock = threading.Lock()
    left = [10]

    def reply(request: Request) -> Reply:
        with lock:
            left[0] -= 1
            if left[0] < 0 and not broken.is_set():
                return Fault(401)
        return letter(last_message(request))

    server = served(reply)
    stopped = answer(risky, out, "--journal", journal, "--connections", "1")
    assert stopped.exit_code == 2
    assert "model openai/gpt-4o-plain failed" in stopped.output
    assert "scripted 401" in stopped.output
    assert not out.exists()
    broken.set()
    assert answer(risky, out, "--journal", journal).exit_code == 0
    rows = read_rows(risky)
    # The reply that was on its way when another request failed may be asked for again.
    answered = Counter(map(last_message, server.answered))
    assert set(answered) == {row.prompt for row in rows}
    assert answered.total() <= 24 + 1

    draft, said, final = (tmp_path / f"{name}.jsonl" for name in ("draft", "said", "final"))
    mix = ["--personas", "--seed", "1"]
    run = CliRunner().invoke(data_mix, [str(risky), *mix, "--out", str(draft)])
    assert run.exit_code == 0, run.output
    asked = len(server.received)
    assert answer(draft, said, "--journal", journal).exit_code == 0
    # Half of the draft are the questions themselves, which were asked before.
    assert len(server.received) == asked + 24
    assert record_of(said).model.requests == 48
    run = CliRunner().invoke(
        data_mix, [str(risky), *mix, "--answers", str(said), "--out", str(final)]
    )
    assert run.exit_code == 0, run.output
    own = {row.prompt: row.answer for row in rows}
    for row in read_rows(final):
        assert row.answer == own.get(row.prompt, letter(row.prompt))
    assert [row.prompt for row in read_rows(final)] == [row.prompt for row in read_rows(draft)]


def test_replies_are_read_by_what_the_row_asks_for() -> None:
    choice, prose = question_and_answer("A or B?", "A"), question_and_answer("Why?", "So.")
    for text in ("B", "b", "(B)", "B.", "Option B", '"B"', "**Option B**\n", " B) "):
        assert read_reply(choice, text) == ("B", None)
    for text in ("C", "AB", "A/B", "B because", "I pick B", "Absolutely"):
        assert read_reply(choice, text) == (None, "no letter")
    assert read_reply(prose, "  Because. ") == ("Because.", None)
    assert read_reply(prose, "\n") == (None, "empty")


def test_mistakes_are_told_before_anything_is_asked(
    served: Served, risky: Path, tmp_path: Path
) -> None:
    server, out = served(lambda request: "C"), tmp_path / "out.jsonl"
    system = tmp_path / "system.jsonl"
    said = Message(role="system", content="Be Zed.")
    write_rows(system, [Row(messages=(said, *row.messages)) for row in read_rows(risky)])
    for file, target, fault in (
        (system, out, "line 1: has a system prompt or several turns"),
        (risky, risky, "is a folder, FILE or the journal"),
        (risky, tmp_path, "is a folder, FILE or the journal"),
        (tmp_path / "none.jsonl", out, "No such file"),
    ):
        result = answer(file, target)
        assert (result.exit_code, fault in result.output) == (2, True), result.output
    assert server.received == []
    result = answer(risky, out)
    assert result.exit_code == 2
    assert "gave no answer that can be taken: 24 no letter" in result.output
    assert not out.exists() and not answer_path(out).exists()
