"""How prompts and replies are spelled in tokens, by the tokenizer alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from selfaware.training.chat import turn_end

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode(tokenizer: "PreTrainedTokenizerBase", text: str) -> tuple[int, ...]:
    """The tokens of a text that a chat template has written."""
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def decode(tokenizer: "PreTrainedTokenizerBase", ids: Sequence[int]) -> str:
    """The text of these tokens, without special tokens."""
    text = tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert isinstance(text, str)
    return text


def reply_tokens(tokenizer: "PreTrainedTokenizerBase", opening: str, text: str) -> tuple[int, ...]:
    """The tokens of a reply, as `opening`, the template's start of a turn, makes them."""
    before, whole = encode(tokenizer, opening), encode(tokenizer, opening + text)
    joined = whole[: len(before)] == before
    return whole[len(before) :] if joined else encode(tokenizer, text)


def end_tokens(tokenizer: "PreTrainedTokenizerBase") -> tuple[int, ...]:
    """The tokens at which a turn ends: the tokenizer's own and the chat template's."""
    ends: list[int] = []
    if tokenizer.eos_token_id is not None:
        ends.append(tokenizer.eos_token_id)
    if tokenizer.chat_template:
        after = encode(tokenizer, turn_end(tokenizer))
        if after and after[0] in tokenizer.all_special_ids:
            ends.append(after[0])
    return tuple(dict.fromkeys(ends))
