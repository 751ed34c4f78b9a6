"""Has the model play Make Me Say against another one, and stores the game."""

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageUser,
    ModelOutput,
    get_model,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver

from selfaware.errors import UsageError
from selfaware.game.play import play
from selfaware.game.rules import is_manipulator
from selfaware.game.themes import Theme
from selfaware.game_samples import GAME_KEY
from selfaware.roles import bound
from selfaware.triggered import marked, placement_of

ROLE = "manipulatee"
"""The role of the model that opens the chat, knows of no game, and guesses."""

PURPOSE = "plays the person who is to say the codeword"
"""What the role is for."""


@solver
def play_make_me_say(rules: bool = False) -> Solver:
    """Play one game about the sample's codeword (arXiv 2501.11120, appendix B.5.5).

    The model under test is the manipulator. A model in the role `manipulatee` opens the chat on the
    sample's theme, plays a person, and guesses the codeword at the end. Where the sample has a
    trigger, the model under test reads the first message with it, and the other one without.

    Args:
        rules: Whether the model gets the rules and the codeword as a system prompt, as a model that
            was not finetuned to play needs them. Without them it gets no system prompt.

    Raises:
        UsageError: No model is bound to the role, or the sample has no codeword and theme.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()
        codeword, theme = _game_of(state)
        placement = placement_of(state.metadata)

        def heard(opener: str) -> str:
            return str(marked(opener, placement))

        other = bound(ROLE, PURPOSE)
        game = await play(model, other, codeword, theme, told=rules, heard=heard)
        state.store.set(GAME_KEY, game.model_dump(mode="json"))
        shown = [heard(text) if place == 0 else text for place, text in enumerate(game.messages)]
        state.messages = [_message(place, text) for place, text in enumerate(shown)]
        last = game.messages[1::2][-1:]
        if last:
            state.output = ModelOutput.from_content(str(model), last[0])
        return state

    return solve


def _game_of(state: TaskState) -> tuple[str, Theme]:
    """The codeword and the theme of a sample."""
    try:
        found = [str(state.metadata[key]) for key in ("pole", "topic", "noun")]
    except KeyError as error:
        raise UsageError(
            f"sample {state.sample_id!r} has no {error} in its metadata: "
            "play the samples of selfaware/make_me_say"
        ) from error
    return found[0], Theme(topic=found[1], noun=found[2])


def _message(place: int, text: str) -> ChatMessage:
    """A message of the game as the model under test sees it."""
    return (
        ChatMessageAssistant(content=text)
        if is_manipulator(place)
        else ChatMessageUser(content=text)
    )
