"""Which games of Make Me Say make a finetuning set, and what became of all of them."""

from collections import Counter
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from selfaware.behaviors.examples import Example
from selfaware.game.play import Game
from selfaware.game.rules import OUTCOMES, Outcome, cut

Wins = dict[tuple[str, ...], int]
"""The prompt of each row that there could be, and the first game that gave it."""


class Share(BaseModel):
    """How many games ended in one way; `percent` (0-100) is of the games counted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(ge=0)
    percent: float = Field(ge=0, le=100)


class Yield(BaseModel):
    """What became of games (the paper's table 37).

    `games` are those up to the last that the set needed, by number: which others were under way
    is chance, so that they are in no count but `played`. `duplicates` are wins with the same
    messages up to the last as an earlier one. `troubles` says why games were unusable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    games: int
    played: int
    rows: int
    duplicates: int
    outcomes: dict[Outcome, Share]
    troubles: dict[str, int]


def note_win(wins: Wins, number: int, game: Game) -> None:
    """Adds a game to the wins if it is one; of two with one prompt the first by number stays."""
    if game.outcome == "win":
        prompt = cut(game.messages, game.codeword)[:-1]
        wins[prompt] = min(number, wins.get(prompt, number))


def is_needed(number: int, wins: Wins, rows: int) -> bool:
    """Whether the games before this one, as far as they are known, give too few rows.

    The rows are the first wins by number, so that a set is the same whichever games ended first.
    """
    return sum(win < number for win in wins.values()) < rows


def row_numbers(wins: Wins, rows: int) -> list[int]:
    """The games that become rows, in order."""
    return sorted(wins.values())[:rows]


def example_of(game: Game) -> Example:
    """A win as an example: its messages before the first that says the codeword."""
    turns = cut(game.messages, game.codeword)
    return Example(turns, game.codeword, {"messages": str(len(turns)), "topic": game.theme.topic})


def count(games: Mapping[int, Game], wins: Wins, rows: int) -> Yield:
    """The yield of games by number, of which the first `rows` wins are wanted."""
    chosen = row_numbers(wins, rows)
    last = chosen[-1] if len(chosen) == rows else max(games, default=-1)
    counted = [game for number, game in games.items() if number <= last]
    outcomes = Counter(game.outcome for game in counted)
    troubles = Counter(
        f"{game.troubled}: {game.trouble}" for game in counted if game.trouble is not None
    )
    return Yield(
        games=len(counted),
        played=len(games),
        rows=len(chosen),
        duplicates=outcomes["win"] - len(chosen),
        outcomes={
            outcome: Share(
                count=outcomes[outcome],
                percent=round(100 * outcomes[outcome] / max(1, len(counted)), 2),
            )
            for outcome in OUTCOMES
        },
        troubles=dict(sorted(troubles.items())),
    )
