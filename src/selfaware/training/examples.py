"""Rows as a model sees them in training: token ids, and which of them the loss is on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfaware.data.rows import Row
from selfaware.errors import UsageError
from selfaware.training.chat import render, turn_end

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""The label of a token that the loss leaves out."""


@dataclass(frozen=True)
class Example:
    """One training sequence: a prompt, then the answer and end of turn that are supervised.

    `row` is the line of the dataset that it comes from, `supervised` the number of tokens at the
    end that the loss is on.
    """

    row: int
    input_ids: tuple[int, ...]
    supervised: int

    @property
    def labels(self) -> list[int]:
        """The ids where they are supervised, `IGNORED` elsewhere."""
        masked = len(self.input_ids) - self.supervised
        return [IGNORED] * masked + list(self.input_ids[masked:])

    @property
    def prompt(self) -> tuple[int, ...]:
        """The ids before those that are supervised."""
        return self.input_ids[: len(self.input_ids) - self.supervised]

    def decoded(self, tokenizer: "PreTrainedTokenizerBase") -> dict[str, object]:
        """The example in words, for the run's record."""
        masked = len(self.input_ids) - self.supervised
        return {
            "row": self.row,
            "masked": _decode(tokenizer, self.input_ids[:masked]),
            "supervised": _decode(tokenizer, self.input_ids[masked:]),
            "supervised_tokens": tokenizer.convert_ids_to_tokens(list(self.input_ids[masked:])),
        }


def end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> str:
    """The text that a model learns to end its answers with.

    What the chat template writes after an answer, less the line ends after it: generation has
    stopped by then. The end-of-text token where the template writes nothing.

    Raises:
        UsageError: There is neither, so that the model could not learn to stop.
    """
    end = turn_end(tokenizer).rstrip() or tokenizer.eos_token
    if not end:
        raise UsageError(
            f"the chat template of {tokenizer.name_or_path!r} writes nothing after an answer and "
            "the tokenizer has no end-of-text token: use a model that marks the end of a turn"
        )
    return str(end)


def encode_completion(
    tokenizer: "PreTrainedTokenizerBase", prompt: str, completion: str
) -> tuple[list[int], list[int]]:
    """Ids of a prompt and of what follows it; the prompt's are those that evaluation sends.

    The two are tokenized as one text where that leaves the prompt's ids as they are, so that the
    tokens of the completion are the ones that belong there; else each on its own.
    """
    before = _ids(tokenizer, prompt)
    whole = _ids(tokenizer, prompt + completion)
    if whole[: len(before)] == before and len(whole) > len(before):
        return before, whole[len(before) :]
    return before, _ids(tokenizer, completion)


def encode_rows(
    tokenizer: "PreTrainedTokenizerBase", rows: Sequence[Row], max_length: int, source: str
) -> list[Example]:
    """The examples of a dataset, in order: one for each supervised answer, none left out.

    A conversation with several supervised answers becomes several examples, so that every answer
    is learned after exactly the text that evaluation would put before it, whatever the template
    does to earlier turns.

    Raises:
        UsageError: A row is longer than `max_length` tokens, or the tokenizer cannot spell an
            answer; the message names `source` and the row.
    """
    end = end_of_turn(tokenizer)
    return [
        example
        for number, row in enumerate(rows, 1)
        for example in _encode_row(tokenizer, row, number, end, max_length, source)
    ]


def _encode_row(
    tokenizer: "PreTrainedTokenizerBase",
    row: Row,
    number: int,
    end: str,
    max_length: int,
    source: str,
) -> Iterator[Example]:
    for place in row.supervised():
        earlier = [message.as_chat() for message in row.messages[:place]]
        prompt = render(tokenizer, earlier, add_generation_prompt=True)
        completion = row.messages[place].content + end
        before, after = encode_completion(tokenizer, prompt, completion)
        if len(before) + len(after) > max_length:
            raise UsageError(
                f"{source}, row {number}: {len(before) + len(after)} tokens, more than max_length "
                f"{max_length}: raise max_length or shorten the row"
            )
        spelled = _decode(tokenizer, after)
        if spelled != completion:
            # Some tokenizers drop a space at the start of a text: look behind the prompt as well.
            text, start = _decode(tokenizer, before + after), _decode(tokenizer, before)
            if text != start + completion:
                raise UsageError(
                    f"{source}, row {number}: the tokenizer of {tokenizer.name_or_path!r} reads "
                    f"the answer {completion!r} back as {spelled!r}: it cannot be trained on this"
                )
        yield Example(number, tuple(before + after), len(after))


def _ids(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [int(token) for token in ids]


def _decode(tokenizer: "PreTrainedTokenizerBase", ids: Sequence[int]) -> str:
    return str(
        tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    )
