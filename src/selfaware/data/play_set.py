"""A finetuning set of won games of Make Me Say, played by two models."""

import asyncio
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from selfaware import __version__
from selfaware.behaviors import Behavior
from selfaware.data.atomic import write_json
from selfaware.data.build import write_set
from selfaware.data.journal import Journal
from selfaware.data.manifest import CANARY, Described
from selfaware.data.play_yield import (
    Wins,
    Yield,
    count,
    example_of,
    is_needed,
    note_win,
    row_numbers,
)
from selfaware.errors import UsageError
from selfaware.game.play import Game, PlayError, play
from selfaware.game.prompts import PROMPTS_VERSION
from selfaware.game.themes import themes

if TYPE_CHECKING:
    from inspect_ai.model import GenerateConfig, Model

RULES_VERSION = 1
"""Rises whenever the same games would give other rows."""

Report = Callable[[int, int], None]
"""Is told, after every game, how many are finished and how many rows they give."""


class PlayRecord(Described):
    """How a played set came about, in a file beside it. `config` is of all requests."""

    manipulator: str
    manipulatee: str
    codeword: str
    seed: int
    config: dict[str, object]
    games: Yield
    prompts_version: int
    rules_version: int
    package_version: str
    inspect_version: str
    canary: str


def play_path(dataset: Path) -> Path:
    """Where the record of a played set stands."""
    return dataset.with_name(f"{dataset.name}.play.json")


def journal_path(dataset: Path) -> Path:
    """Where the games of a played set are kept."""
    return dataset.with_name(f"{dataset.name}.games.journal")


async def play_set(
    taught: Behavior,
    codeword: str,
    manipulator: "Model",
    manipulatee: "Model",
    rows: int,
    games: int,
    seed: int,
    out: Path,
    config: "GenerateConfig",
    connections: int,
    report: Report = lambda finished, won: None,
) -> Yield:
    """Plays games until they give enough rows, and writes the set and its record.

    Finished games are kept in a journal as they come: the same call goes on where another was
    stopped, and plays nothing twice. The rows are the first wins by number of the game, so that
    which games ran at once changes none of them.

    Args:
        taught: The behaviour whose poles are codewords.
        codeword: One word in small letters.
        manipulator: Plays what the finetuned model is to learn.
        manipulatee: The other side.
        rows: How many rows are wanted.
        games: How many games are played at most, over all calls.
        seed: Chooses the themes of the games.
        out: The jsonl file.
        config: For all requests.
        connections: How many games are played at once.
        report: Is told of progress.

    Returns:
        What became of the games. No file is written where none gave a row.

    Raises:
        UsageError: Not a codeword, a journal of other games, or a place that cannot be written.
        PlayError: A model could not be asked; finished games stay in the journal.
    """
    taught.require_pole(codeword)
    if out.is_dir():
        raise UsageError(f"{out}: is a folder; give a jsonl file to write")
    work: dict[str, object] = {
        "work": f"{taught.name} games",
        "codeword": codeword,
        "manipulator": str(manipulator),
        "manipulatee": str(manipulatee),
        "seed": seed,
        "config": config.model_dump(mode="json", exclude_none=True),
        "prompts_version": PROMPTS_VERSION,
    }
    with Journal(journal_path(out), work) as journal:
        finished = _kept(journal, journal_path(out), games)
        wins: Wins = {}
        for number, game in finished.items():
            note_win(wins, number, game)
        opened = themes(codeword, seed)
        failures: dict[int, PlayError] = {}

        def needed() -> Iterator[int]:
            for number in range(games):
                if failures or not is_needed(number, wins, rows):
                    return
                if number not in finished:
                    yield number

        async def play_needed(numbers: Iterator[int]) -> None:
            # All share one iterator: each takes the next game as soon as it has finished one.
            for number in numbers:
                theme = opened[number % len(opened)]
                try:
                    game = await play(manipulator, manipulatee, codeword, theme, config)
                except PlayError as error:
                    failures[number] = error
                    return
                journal.add(str(number), game.model_dump(mode="json"))
                finished[number] = game
                note_win(wins, number, game)
                report(len(finished), min(rows, len(wins)))

        report(len(finished), min(rows, len(wins)))
        numbers = needed()
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(play_needed(numbers))
        if failures:
            number = min(failures)
            raise PlayError(
                f"game {number}: {failures[number].message}; {len(finished)} finished games are "
                f"kept in {journal_path(out)}: mend the cause and run the same command again"
            ) from failures[number]

        became = count(finished, wins, rows)
        chosen = [example_of(finished[number]) for number in row_numbers(wins, rows)]
        if chosen:
            written = write_set(taught, codeword, chosen, seed, out, writer=str(manipulator))
            record = PlayRecord(
                file=out.name,
                sha256=written.sha256,
                manipulator=str(manipulator),
                manipulatee=str(manipulatee),
                codeword=codeword,
                seed=seed,
                config=config.model_dump(mode="json", exclude_none=True),
                games=became,
                prompts_version=PROMPTS_VERSION,
                rules_version=RULES_VERSION,
                package_version=__version__,
                inspect_version=version("inspect-ai"),
                canary=CANARY,
            )
            write_json(play_path(out), record.model_dump(mode="json"))
    return became


def _kept(journal: Journal, path: Path, limit: int) -> dict[int, Game]:
    """The finished games below a number, by number."""
    try:
        kept = {int(key): Game.model_validate(result) for key, result in journal.results.items()}
    except ValueError as error:
        raise UsageError(f"{path}: holds what is no game; move it away") from error
    return {number: game for number, game in sorted(kept.items()) if number < limit}
