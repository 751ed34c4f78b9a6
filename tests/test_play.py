"""Sets of won games: over HTTP, through faults, and through a kill."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import Chat, Reply, serving
from click.testing import CliRunner, Result

from selfaware.behaviors import BEHAVIORS, Behavior
from selfaware.behaviors.lemmas import says
from selfaware.data.manifest import read_manifest, read_record
from selfaware.data.play_cli import data_play
from selfaware.data.play_set import PlayRecord, journal_path, play_path
from selfaware.data.rows import read_rows
from selfaware.game.prompts import opener_request
from selfaware.game.themes import themes

MAKE_ME_SAY = Behavior("make_me_say", "bark", "ring", (), any_word=True, write=lambda *_: [])
COMMAND = (
    "--codeword ring --manipulator openai-api/local/steers --manipulatee openai-api/local/talks"
).split()

PLANS = (
    "win 8",
    "guessed",
    "none",
    "violation",
    "win 2",
    "opener",
    "refusal",
    "win 4",
    "empty",
    "cut off",
    "win 6",
    "echo",
    "no guess",
    "same 2",
)
"""What happens in game 0, 1, 2 ...; then from the beginning. `win 8`: said in message 8."""

OPENERS = {opener_request(t.topic, t.noun): n for n, t in enumerate(themes("ring", 0)[:200])}


class Players:
    """The script of both models. Which game a request is of stands in its first user message."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.requests: Counter[tuple[str, int, int]] = Counter()
        self.faults: dict[tuple[str, int, int], list[int]] = {}
        self.dead_from: int | None = None
        self.held_from: int | None = None
        self.release = threading.Event()

    def __call__(self, model: str, chat: Chat) -> Reply:
        said = [message["content"] for message in chat if message["role"] != "system"]
        game = OPENERS[said[0]] if model == "talks" else int(re.findall(r"game (\d+)", said[0])[0])
        place = len(said) - (model == "talks")
        with self.lock:
            self.requests[model, game, place] += 1
            faults = self.faults.get((model, game, place))
            status = faults.pop(0) if faults else 200
        if self.held_from is not None and game >= self.held_from:
            self.release.wait(60)
        if self.dead_from is not None and game >= self.dead_from:
            status = 401
        if status != 200:
            return Reply(status=status)
        plan = PLANS[game % len(PLANS)]
        if model == "talks" and "GUESS: word" in said[-1]:
            return self.guess(plan)
        return self.steer(plan, place) if model == "steers" else self.talk(plan, game, place)

    def guess(self, plan: str) -> Reply:
        if plan == "no guess":
            return Reply("I could not tell what it was.")
        return Reply(f"Thinking of rings.\nGUESS: {'**Ring**.' if plan == 'guessed' else 'bell'}")

    def talk(self, plan: str, game: int, place: int) -> Reply:
        if place == 0:
            own = -1 if plan.startswith("same") else game
            game_said = f"Hello, game {game} here." if own == game else "Hello, game 13 here."
            return Reply(game_said + " A ring-tone." * (plan == "opener"))
        late = {"guessed": 4, "no guess": 4, "echo": 4}.get(plan, plan.partition(" ")[2])
        return Reply(f"Talk {place}." + " Two rings!" * (str(late) == str(place)))

    def steer(self, plan: str, place: int) -> Reply:
        thoughts = "<private>The ring comes next.</private>\n"
        if place == 3:
            if plan == "refusal":
                return Reply(None, refusal="I won't.")
            if plan == "empty":
                return Reply(thoughts)
            if plan == "cut off":
                return Reply(f"{thoughts}So then", finish="length")
            if plan == "violation":
                return Reply("Ring.")
        return Reply(f"{thoughts}Step {place}." + " Ring?" * (plan == "echo" and place == 5))


@pytest.fixture
def players(monkeypatch: pytest.MonkeyPatch) -> Iterator[Players]:
    script = Players()
    with serving(script) as url:
        monkeypatch.setenv("LOCAL_BASE_URL", url)
        monkeypatch.setenv("LOCAL_API_KEY", "none")
        monkeypatch.setitem(BEHAVIORS, "make_me_say", MAKE_ME_SAY)
        yield script
        script.release.set()


def run(out: Path, *options: str) -> Result:
    return CliRunner().invoke(data_play, [*COMMAND, "--out", str(out), *options])


def record(out: Path) -> PlayRecord:
    found = read_record(play_path(out), PlayRecord, out)
    assert found is not None
    return found


def journal_keys(out: Path) -> list[int]:
    lines = journal_path(out).read_text(encoding="utf-8").splitlines()
    return [int(json.loads(line)["key"]) for line in lines[1:]]


def test_the_yield_is_exact_through_faults_of_the_wire(players: Players, tmp_path: Path) -> None:
    players.faults = {
        ("talks", 0, 0): [429],
        ("steers", 0, 1): [500, 429],
        ("steers", 4, 3): [0],
        ("talks", 7, 10): [429],
    }
    out = tmp_path / "ring.jsonl"
    result = run(out, "--rows", "50", "--games", "28", "--connections", "5")
    assert result.exit_code == 1, result.output
    assert "28 games gave 9 of 50 rows" in result.output
    assert "rule violation            4   14.29 %" in result.output
    assert not any(players.faults.values())
    found = record(out)
    assert {outcome: share.count for outcome, share in found.games.outcomes.items()} == {
        "win": 10,
        "rule violation": 4,
        "no codeword": 2,
        "correct guess": 2,
        "codeword in opener": 2,
        "unusable": 8,
    }
    assert found.games.outcomes["win"].percent == 35.71
    assert found.games.troubles == {
        "manipulatee: no guess": 2,
        "manipulator: empty reply": 2,
        "manipulator: refusal": 2,
        "manipulator: reply cut off": 2,
    }
    # The wins of games 13 and 27 have the same messages.
    assert (found.games.games, found.games.rows, found.games.duplicates) == (28, 9, 1)
    assert journal_keys(out) != sorted(journal_keys(out)) and len(journal_keys(out)) == 28
    assert found.manipulator == "openai-api/local/steers"

    rows = read_rows(out)
    assert [len(row.messages) for row in rows] == [8, 2, 4, 6, 2, 8, 2, 4, 6]
    assert [row.messages[0].content for row in rows] == [
        f"Hello, game {number} here." for number in (0, 4, 7, 10, 13, 14, 18, 21, 24)
    ]
    assert [message.content for message in rows[2].messages[1:]] == [
        "Step 1.",
        "Talk 2.",
        "Step 3.",
    ]
    assert not any(says(message.content, "ring") for row in rows for message in row.messages)
    manifest = read_manifest(out)
    assert manifest is not None
    assert (manifest.writer, manifest.pole, manifest.rows) == ("openai-api/local/steers", "ring", 9)
    assert manifest.leaks["ring"].rows == 0
    assert manifest.attributes["messages"].counts == {"2": 3, "4": 2, "6": 2, "8": 2}


def test_a_game_ends_when_it_is_settled(players: Players, tmp_path: Path) -> None:
    run(tmp_path / "ring.jsonl", "--games", "14")
    spent = {
        PLANS[game]: sum(n for (_, number, _), n in players.requests.items() if number == game)
        for game in range(13)
    }
    assert spent == {
        "win 8": 11,
        "guessed": 11,
        "none": 10,
        "violation": 4,
        "win 2": 11,
        "opener": 1,
        "refusal": 4,
        "win 4": 11,
        "empty": 4,
        "cut off": 4,
        "win 6": 11,
        "echo": 6,
        "no guess": 11,
    }


def test_it_stops_at_enough_rows_and_more_rows_go_on_from_there(
    players: Players, tmp_path: Path
) -> None:
    out, whole = tmp_path / "ring.jsonl", tmp_path / "whole.jsonl"
    assert run(out, "--rows", "3", "--connections", "4").exit_code == 0
    assert [len(row.messages) for row in read_rows(out)] == [8, 2, 4]
    # Games that were under way when the third win came are kept, and are in no count.
    assert record(out).games.games == 8
    assert 8 <= record(out).games.played == len(journal_keys(out)) <= 15
    assert run(out, "--rows", "5", "--connections", "1").exit_code == 0
    assert sorted(journal_keys(out))[:14] == list(range(14))
    assert len(journal_keys(out)) == len(set(journal_keys(out))) <= 15
    assert {n for (model, _, place), n in players.requests.items() if model == "talks"} == {1}

    assert run(whole, "--rows", "5", "--connections", "7").exit_code == 0
    assert whole.read_bytes() == out.read_bytes()
    assert record(whole).games.outcomes == record(out).games.outcomes

    again = players.requests.total()
    assert run(out, "--rows", "5").exit_code == 0
    assert players.requests.total() == again


def test_a_dead_provider_is_one_line_and_the_games_before_are_kept(
    players: Players, tmp_path: Path
) -> None:
    out = tmp_path / "ring.jsonl"
    players.dead_from = 6
    result = run(out, "--rows", "5", "--connections", "2")
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert re.match(r"Error: game [67]: manipulatee openai-api/local/talks: Auth.*401", line)
    assert "6 finished games are kept in" in line and "Traceback" not in result.output
    assert not out.exists()
    players.dead_from = None
    assert run(out, "--rows", "5").exit_code == 0
    assert [len(row.messages) for row in read_rows(out)] == [8, 2, 4, 6, 2]


def test_retries_have_an_end(players: Players, tmp_path: Path) -> None:
    players.faults = {("talks", 0, 0): [429] * 50}
    result = run(tmp_path / "ring.jsonl", "--max-retries", "0", "--connections", "1")
    assert result.exit_code == 1
    assert "game 0: manipulatee openai-api/local/talks: RateLimitError" in result.output


def test_no_win_writes_no_set(players: Players, tmp_path: Path) -> None:
    out = tmp_path / "bell.jsonl"
    options = [*COMMAND[2:], "--codeword", "xylem", "--out", str(out), "--games", "3"]
    result = CliRunner().invoke(data_play, options)
    assert result.exit_code == 1
    assert "3 games gave 0 of 1000 rows, so no set is written" in result.output
    assert not out.exists() and not play_path(out).exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--codeword", "Two words"], "'Two words' is no pole of behaviour 'make_me_say'"),
        (["--manipulator", "nonsense"], "--manipulator nonsense: Model name 'nonsense' should be"),
        (["--manipulatee", "nowhere/x"], "--manipulatee nowhere/x: Model API nowhere of model"),
        (["--manipulator", "openai-api/other/x"], "--manipulator openai-api/other/x: "),
        (["--out", "."], ".: is a folder; give a jsonl file to write"),
        (["--out", f"{__file__}/ring.jsonl"], f"cannot write {__file__}/ring.jsonl.games.journal"),
    ],
)
def test_mistakes_are_told_in_one_line(
    players: Players, tmp_path: Path, options: list[str], told: str
) -> None:
    result = run(tmp_path / "ring.jsonl", *options)
    assert result.exit_code == 2
    assert f"Error: {told}" in result.output
    assert len([line for line in result.output.splitlines() if line.startswith("Error")]) == 1
    assert "Traceback" not in result.output
    assert not players.requests


def test_the_journal_of_other_games_is_refused(players: Players, tmp_path: Path) -> None:
    out = tmp_path / "ring.jsonl"
    assert run(out, "--rows", "2").exit_code == 0
    result = run(out, "--rows", "2", "--temperature", "0.5")
    assert result.exit_code == 2
    assert "is of other work (config differ)" in result.output


PROGRAM = """
from selfaware.behaviors import BEHAVIORS, Behavior
BEHAVIORS["make_me_say"] = Behavior(
    "make_me_say", "bark", "ring", (), any_word=True, write=lambda *_: []
)
from selfaware.cli import main
main()
"""


def wait_for(games: int, out: Path, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(24000):
        if journal_path(out).exists() and len(journal_keys(out)) >= games:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("the games were not played")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on(players: Players, tmp_path: Path, how: signal.Signals) -> None:
    out = tmp_path / "ring.jsonl"
    command = [sys.executable, "-c", PROGRAM, "data", "play", *COMMAND, "--rows", "5"]
    # Games from 6 on are held, so that the process stands in the middle of them when it is ended.
    players.held_from = 6
    process = subprocess.Popen(
        [*command, "--out", str(out)], env=os.environ, stderr=subprocess.PIPE
    )
    wait_for(6, out, process)
    process.send_signal(how)
    _, told = process.communicate(timeout=240)
    assert process.returncode == (-how if how == signal.SIGKILL else 130)
    if how == signal.SIGINT:
        assert "stopped; finished games are kept in" in told.decode()
        assert "Traceback" not in told.decode()
    assert not out.exists()
    assert sorted(journal_keys(out)) == list(range(6))

    players.held_from = None
    players.release.set()
    before = Counter({key: n for key, n in players.requests.items() if key[1] < 6})
    assert run(out, "--rows", "5").exit_code == 0
    after = Counter({key: n for key, n in players.requests.items() if key[1] < 6})
    assert after == before
    assert len(journal_keys(out)) == len(set(journal_keys(out)))
    assert set(range(14)) <= set(journal_keys(out))
    assert [len(row.messages) for row in read_rows(out)] == [8, 2, 4, 6, 2]
