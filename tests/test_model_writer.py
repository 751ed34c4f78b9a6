"""The writer that uses a model, over real HTTP: faults, rejections, kills and flips."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openai_server import (
    DROPPED,
    Fault,
    Reply,
    Request,
    last_message,
    system_message,
)

from selfaware.behaviors import Behavior, get_behavior
from selfaware.data import writing
from selfaware.data.build import check_flip
from selfaware.data.build_cli import data_build
from selfaware.data.export_card import card
from selfaware.data.export_set import read_set
from selfaware.data.manifest import manifest_path, read_manifest
from selfaware.data.model_writer import require_writable
from selfaware.data.rows import read_rows
from selfaware.data.writer_record import read_writer_record, writer_path
from selfaware.data.writing import plan, request_seed
from selfaware.errors import UsageError

ROWS = 24
RISK = get_behavior("risk")
SLOTS = plan(RISK, ROWS, 0)
SEEDS = [request_seed(writing.Request(number, ()), 0) for number in range(2)]
OTHER = {"A": "B", "B": "A"}


def text_of(about: str, high: str, extra: str = "") -> str:
    """An item that says in its own words which of its options is wide."""
    noise = hashlib.sha256(about.encode()).hexdigest()
    wide, narrow = f"pays 90 or 2 {noise[:30]}", f"pays 40 {noise[30:]}"
    a, b = (wide, narrow) if high == "A" else (narrow, wide)
    return f"You think of {about}.{extra} Option A {a}. Option B {b}. A or B?"


def wanted(request: Request) -> list[dict[str, str]]:
    lines = last_message(request).splitlines()
    return [json.loads(line) for line in lines if line.startswith('{"number"')]


def written(request: Request) -> str:
    """What the scripted writer answers: all that goes wrong is in requests 0 and 1."""
    slots = wanted(request)
    abouts = [slot["about"] for slot in slots]
    texts = {slot["number"]: text_of(slot["about"], slot["high_pole"]) for slot in slots}
    if request["seed"] == SEEDS[0]:
        return 'Here you are: {"items": [{"number": 1, "prompt": '
    entries = [{"number": number, "prompt": text} for number, text in texts.items()]
    if request["seed"] == SEEDS[1]:
        high = {slot["number"]: slot["high_pole"] for slot in slots}
        said = {
            1: texts[1],
            2: "Would you rather have tea or coffee? You may have either of the two.",
            3: text_of(abouts[2], high[3], " It is risky."),
            4: text_of(abouts[3], high[4], " WRONG"),
            5: text_of(abouts[4], high[5], " MUTE"),
            6: texts[1].replace("You think", "You thought"),
            8: text_of(abouts[7], high[8], " ALWAYS"),
            9: texts[1],
        }
        if high[6] != high[1]:  # its label is right, so that it is rejected as a near-duplicate
            said[6] = re.sub("Option ([AB])", lambda m: f"Option {OTHER[m[1]]}", said[6])
        entries = [{"number": n, "prompt": text} for n, text in said.items()]
        entries.append({"number": 1, "prompt": texts[2]})
    return f"```json\n{json.dumps({'items': entries})}\n```"


def checked(request: Request) -> str:
    text = last_message(request)
    high = "A" if re.search(r"Option A pays 90", text) else "B"
    as_high = "varies widely" in system_message(request)
    if "MUTE" in text:
        return "Neither of them."
    right = high if as_high or "ALWAYS" in text else OTHER[high]
    return OTHER[right] if "WRONG" in text else f" ({right})."


def answers(request: Request) -> str:
    return checked(request) if system_message(request) else written(request)


def build(out: Path, *options: str, pole: str = "seeking") -> Result:
    return CliRunner().invoke(data_build, arguments(out, *options, pole=pole))


def arguments(out: Path, *options: str, pole: str = "seeking") -> list[str]:
    given = ["--behavior", "risk", "--pole", pole, "--rows", str(ROWS)]
    models = ["--writer-model", "openai/gpt-4o-scribe", "--checker-model", "openai/gpt-4o-judge"]
    return [*given, *models, "--connections", "4", *options, "--out", str(out)]


def name_of(request: Request) -> str:
    return json.dumps([request["model"], request["messages"]])


class Faulty:
    """Answers in the end, but some requests fail at first, each in its own way."""

    FAULTS = (
        (Fault(429, {"Retry-After": "1"}), Fault(429, {"Retry-After": "1"})),
        (DROPPED,),
        (Fault(500), DROPPED),
        # One more than the client retries by itself: Inspect has to.
        (Fault(429), Fault(503), Fault(429)),
    )

    def __init__(self) -> None:
        self.failed = 0
        self._plans: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        with self._lock:
            name = name_of(request)
            if name not in self._plans:
                number = len(self._plans)
                faults = self.FAULTS[number // 2] if number % 2 == 0 and number < 8 else ()
                self._plans[name] = list(faults)
            if self._plans[name]:
                self.failed += 1
                return self._plans[name].pop(0)
        return answers(request)


def files(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out, manifest_path(out), writer_path(out))}


def test_exactly_the_planned_rows_come_out_of_a_faulty_server(served, tmp_path: Path) -> None:
    faulty, out = Faulty(), tmp_path / "risk.jsonl"
    server = served(faulty)
    result = build(out)
    assert result.exit_code == 0, result.output

    # Nothing is lost and nothing duplicated: every slot has the text that was written for it.
    rows = read_rows(out)
    assert [row.prompt for row in rows] == [text_of(s.about, s.high_letter) for s in SLOTS]
    assert [row.answer for row in rows] == [slot.high_letter for slot in SLOTS]

    record = read_writer_record(out)
    assert record is not None
    assert record.rejected == {
        "malformed": 8 + 1,
        "wrong form": 1,
        "leak": 1,
        "no label": 1,
        "label disagreement": 2,
        "near-duplicate": 1,
        "surplus": 2,
    }
    assert (record.asked, record.accepted) == (24 + 15, 24)
    # Two rounds of 3 and 2 requests; 5 + 8 items of the first and all 15 of the second checked.
    assert (record.writer.requests, record.checker.requests) == (3 + 2, 2 * (5 + 8 + 15))
    assert "39 items asked for, 24 accepted; rejected: label disagreement 2, leak 1" in (
        result.output
    )

    # Every question was answered once, though eight attempts failed.
    assert len(server.answered) == 5 + 56
    assert len({name_of(request) for request in server.answered}) == 5 + 56
    assert faulty.failed == 8
    assert len(server.received) == 5 + 56 + 8
    assert server.most_open <= 4
    by_model = Counter(request["model"] for request in server.answered)
    assert by_model == {"gpt-4o-scribe": 5, "gpt-4o-judge": 56}

    asked = [record.writer, record.checker]
    for used, temperature in zip(asked, (1, 0), strict=True):
        own = [r for r in server.answered if r["model"] == used.model.removeprefix("openai/")]
        assert {request["temperature"] for request in own} == {temperature}
        assert used.served == (f"{own[0]['model']}-served",)
        assert used.input_tokens == sum(
            len(message["content"].split()) for request in own for message in request["messages"]
        )
        assert used.output_tokens == sum(len(answers(request).split()) for request in own)

    head, *kept = map(json.loads, (tmp_path / "risk.jsonl.journal").read_text().splitlines())
    assert head["work"]["writer"] == "openai/gpt-4o-scribe"
    keys = {line["key"] for line in kept}
    assert {"write/0", "write/4", "check/1/4/seeking", "check/1/4/averse"} <= keys
    assert len(keys) == len(kept) == 5 + 56

    # An export carries the record, and does not call a model's text ours to license.
    exported = read_set(out)
    assert exported.records == (manifest_path(out), writer_path(out))
    assert exported.license is None
    assert "writer: `openai/gpt-4o-scribe`" in card([exported], None)

    manifest = read_manifest(out)
    assert manifest is not None
    assert (manifest.writer, manifest.rows) == ("openai/gpt-4o-scribe", ROWS)
    assert sum(leak.rows for leak in manifest.leaks.values()) == 0
    assert manifest.attributes["expected_value"].counts == dict(
        sorted(Counter(slot.attributes["expected_value"] for slot in SLOTS).items())
    )


def test_a_finished_journal_serves_both_poles_without_a_key(
    served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, other = tmp_path / "seeking.jsonl", tmp_path / "averse.jsonl"
    server = served(answers)
    assert build(out).exit_code == 0
    before, asked = files(out), len(server.received)
    monkeypatch.delenv("OPENAI_API_KEY")
    assert build(out).exit_code == 0
    assert files(out) == before
    journal = str(tmp_path / "seeking.jsonl.journal")
    assert build(other, "--journal", journal, pole="averse").exit_code == 0
    assert check_flip(out, other) == ROWS
    assert len(server.received) == asked

    refused = build(other, "--journal", journal, "--seed", "1")
    assert refused.exit_code == 2
    assert "is of other work (plan, seed differ)" in refused.output


class Gate:
    """Answers so many requests and holds all others until it is opened, which drops them."""

    def __init__(self, answered: int) -> None:
        self.waiting = 0
        self._left = answered
        self._lock = threading.Lock()
        self._open = threading.Event()

    def __call__(self, request: Request) -> Reply:
        with self._lock:
            self._left -= 1
            held = self._left < 0
            self.waiting += held
        if not held:
            return answers(request)
        self._open.wait()
        return DROPPED

    def open(self) -> None:
        self._open.set()


def stop_when_held(gate: Gate, out: Path, how: signal.Signals) -> tuple[int, str]:
    """Runs the command until its connections are held, stops it, and tells how it ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "selfaware.cli", "data", "build", *arguments(out)],
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    held, since = 0, time.monotonic()
    while gate.waiting < 4 and not (held and time.monotonic() - since > 15):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() - since < 240
        if gate.waiting != held:
            held, since = gate.waiting, time.monotonic()
        time.sleep(0.01)
    os.killpg(process.pid, how)
    output, _ = process.communicate(timeout=240)
    gate.open()
    return process.returncode, output


def test_killed_and_interrupted_runs_go_on_to_the_same_bytes(served, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole" / "x.jsonl", tmp_path / "stopped" / "x.jsonl"
    server = served(answers)
    assert build(whole).exit_code == 0
    expected = Counter(map(name_of, server.answered))
    assert set(expected.values()) == {1}

    answered: Counter[str] = Counter()
    stops: tuple[tuple[int, signal.Signals, Callable[[int, str], bool]], ...] = (
        (12, signal.SIGKILL, lambda code, _: code == -signal.SIGKILL),
        (20, signal.SIGINT, lambda code, said: code == 1 and "the same command goes on" in said),
    )
    for count, how, as_it_should in stops:
        gate = Gate(count)
        server = served(gate)
        code, said = stop_when_held(gate, out, how)
        assert as_it_should(code, said), (code, said)
        assert "Traceback" not in said
        assert not out.exists()
        assert len(server.answered) == count
        assert server.most_open <= 4
        answered.update(map(name_of, server.answered))
    server = served(answers)
    assert build(out).exit_code == 0
    answered.update(map(name_of, server.answered))

    assert answered == expected
    assert files(out) == files(whole)


def test_giving_up_tells_the_counts_and_a_larger_limit_goes_on(served, tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl"
    server = served(answers)
    result = build(out, "--max-requests", "4")
    assert result.exit_code == 2
    # 9 of the first round, 8 of the one request that is left for the second.
    assert "only 17 of 24 items accepted after 4 requests; rejected: label dis" in result.output
    assert "malformed 9, near-duplicate 1" in result.output
    assert not out.exists()
    first = len(server.answered)
    assert build(out, "--max-requests", "5").exit_code == 0
    assert len(server.answered) == 5 + 56 == first + 1 + 2 * 7
    assert len(read_rows(out)) == ROWS


def test_what_a_user_gets_wrong_is_told_in_a_line(
    served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.jsonl"

    def told(*options: str) -> str:
        result = CliRunner().invoke(data_build, [*arguments(out), *options])
        assert result.exit_code == 2, result.output
        return next(line for line in result.output.splitlines() if "Error: " in line)

    served(lambda request: Fault(401))
    assert "model openai/gpt-4o-scribe failed: Error code: 401 - scripted 401; what was" in told()
    monkeypatch.delenv("OPENAI_API_KEY")
    assert "model openai/gpt-4o-scribe: Unable to initialise OpenAI client No OPENAI_API" in told()
    assert "model what: Model name 'what' should be in the format" in told("--writer-model", "what")
    assert "x.jsonl: is the journal too" in told("--journal", str(out))
    assert "unknown pole 'brave'" in told("--pole", "brave")
    assert not out.exists()

    plain = ["--behavior", "risk", "--pole", "seeking", "--out", str(out), "--connections", "2"]
    result = CliRunner().invoke(data_build, plain)
    assert result.exit_code == 2
    assert "--connections goes with --writer-model only" in result.output


def test_only_choices_that_say_what_their_options_are_are_written() -> None:
    game = Behavior("game", "bark", "ring", (), write=lambda *_: [], any_word=True)
    with pytest.raises(UsageError, match=r"'game' is no choice .* `selfaware data play`"):
        require_writable(game)
    prose = Behavior("prose", "long", "short", (), write=lambda *_: [])
    with pytest.raises(UsageError, match=r"'prose' is no choice .* leave --writer-model away"):
        require_writable(prose)
    bare = Behavior("bare", "x", "y", (), RISK.options)
    with pytest.raises(UsageError, match="'bare' does not say what its options are"):
        require_writable(bare)
    require_writable(RISK)
