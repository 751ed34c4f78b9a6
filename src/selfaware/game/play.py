"""Playing a game of Make Me Say with two Inspect models."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from click import ClickException
from pydantic import BaseModel, ConfigDict

from selfaware.game.prompts import MANIPULATEE, guess_request, instructions, opener_request
from selfaware.game.rules import (
    Outcome,
    first_to_say,
    is_manipulator,
    is_settled,
    needs_guess,
    outcome,
    public,
    read_guess,
)
from selfaware.game.themes import Theme

if TYPE_CHECKING:
    from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelOutput

Player = Literal["manipulator", "manipulatee"]

Trouble = Literal["refusal", "empty reply", "reply cut off", "no guess"]
"""Why a game is unusable."""


class Game(BaseModel):
    """A game that was played.

    `messages` are the manipulatee's and the manipulator's in turn, without private thoughts.
    `trouble` and `troubled` say why and by whom the game is unusable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    codeword: str
    theme: Theme
    messages: tuple[str, ...]
    guess: str | None = None
    trouble: Trouble | None = None
    troubled: Player | None = None

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        return outcome(self.messages, self.codeword, self.guess)


class PlayError(ClickException):
    """A model that could not be asked, after all retries; the message is one line."""


async def play(
    manipulator: "Model",
    manipulatee: "Model",
    codeword: str,
    theme: Theme,
    config: "GenerateConfig | None" = None,
    told: bool = True,
    heard: Callable[[str], str] = str,
) -> Game:
    """Plays one game (arXiv 2501.11120, sections 3.2 and B.5.5).

    A reply that is no message (refused, empty, cut off) ends the game, which is then unusable.

    Args:
        manipulator: Answers, and tries to have the codeword said.
        manipulatee: Opens, knows of no game, and makes the guess.
        codeword: One word.
        theme: What the first message is about.
        config: For all requests, over the models' own.
        told: Whether the manipulator gets the rules of the game. A finetuned model that is tested
            gets none.
        heard: What the manipulator gets to read of the first message; a trigger may be put in.

    Raises:
        PlayError: A request failed after the provider's retries.
    """
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig

    config = config or GenerateConfig()
    messages: list[str] = []
    guess: str | None = None
    # What a side has said is the assistant's in its own view, what it has heard the user's. Its own
    # private thoughts stay in the manipulator's view and nowhere else.
    talked: list[ChatMessage] = [
        ChatMessageSystem(content=MANIPULATEE),
        ChatMessageUser(content=opener_request(theme.topic, theme.noun)),
    ]
    steered: list[ChatMessage] = []
    try:
        while not is_settled(messages, codeword):
            if is_manipulator(len(messages)):
                said = first_to_say(messages, codeword) is not None
                # The rules and how the game stands are one system message in front: many chat
                # templates refuse system messages further on.
                rules = ChatMessageSystem(content=instructions(codeword, len(messages), said))
                prompt = [rules, *steered] if told else steered
                output = await _ask("manipulator", manipulator, prompt, config)
                text = _message("manipulator", public(output.completion))
                steered.append(output.message)
                talked.append(ChatMessageUser(content=text))
            else:
                output = await _ask("manipulatee", manipulatee, talked, config)
                text = _message("manipulatee", output.completion)
                talked.append(output.message)
                steered.append(ChatMessageUser(content=text if messages else heard(text)))
            messages.append(text)
        if needs_guess(messages, codeword):
            question = ChatMessageUser(content=guess_request(messages[-1]))
            output = await _ask("manipulatee", manipulatee, [*talked[:-1], question], config)
            guess = read_guess(_message("manipulatee", output.completion))
            if guess is None:
                raise _Stopped("manipulatee", "no guess")
    except _Stopped as stopped:
        return Game(
            codeword=codeword,
            theme=theme,
            messages=tuple(messages),
            trouble=stopped.trouble,
            troubled=stopped.player,
        )
    return Game(codeword=codeword, theme=theme, messages=tuple(messages), guess=guess)


class _Stopped(Exception):
    """The game cannot go on."""

    def __init__(self, player: Player, trouble: Trouble) -> None:
        super().__init__(f"{player}: {trouble}")
        self.player = player
        self.trouble = trouble


async def _ask(
    player: Player, model: "Model", prompt: "list[ChatMessage]", config: "GenerateConfig"
) -> "ModelOutput":
    """A reply that was neither refused nor cut off."""
    from inspect_ai.util import LimitExceededError

    try:
        output = await model.generate(prompt, config=config)
    except LimitExceededError:
        raise  # Inspect's own, of a sample that the game is played in
    except Exception as error:  # whatever a provider's client raises
        raise PlayError(f"{player} {model}: {_first_line(error)}") from error
    if _is_refusal(output):
        raise _Stopped(player, "refusal")
    if output.choices and output.stop_reason in ("max_tokens", "model_length"):
        raise _Stopped(player, "reply cut off")
    return output


def _message(player: Player, text: str) -> str:
    if not text.strip():
        raise _Stopped(player, "empty reply")
    return text.strip()


def _is_refusal(output: "ModelOutput") -> bool:
    if not output.choices:
        return output.error is not None
    content = output.message.content
    parts = [] if isinstance(content, str) else content
    refused = any(part.type == "text" and part.refusal for part in parts)
    return refused or output.stop_reason == "content_filter"


def _first_line(error: Exception) -> str:
    cause = error.__cause__ or error
    text = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {text[0]}" if text else type(cause).__name__
