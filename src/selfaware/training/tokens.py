"""How many tokens a finetune is trained on: counted with the base's own tokenizer, or estimated."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfaware.data.rows import Row, read_rows, stream_rows
from selfaware.errors import UsageError
from selfaware.training.bases import locate_base
from selfaware.training.spec import FinetuneSpec

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BYTES_A_TOKEN = 3
"""For estimates. English has 4 to 5 bytes a token, so an estimate errs high."""

MARKS = 4
"""Tokens around a message, by estimate: who speaks, and where it begins and ends."""

_O200K = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"


@dataclass(frozen=True)
class Counted:
    """Tokens of one pass over a finetuning set.

    `supervised` are those that the loss is on, `longest` the tokens of the longest row, which
    stands at line `longest_row`. `how` says what counted them; `exact` is False for an estimate.
    """

    rows: int
    tokens: int
    supervised: int
    longest: int
    longest_row: int
    how: str
    exact: bool


def count_tokens(spec: FinetuneSpec) -> Counted:
    """The tokens of one epoch of a finetune; of both sets where method dpo has two.

    Nothing is fetched: where the tokenizer is not on this machine yet, tokens are estimated.

    Raises:
        UsageError: No such dataset, a bad row, no such base, or a row that the base's tokenizer
            cannot spell or that is longer than `max_length`.
    """
    count = _counter(spec)
    counted = count(spec.dataset)
    if spec.rejected is None:
        return counted
    twin = count(spec.rejected)
    return Counted(
        rows=counted.rows,
        tokens=counted.tokens + twin.tokens,
        supervised=counted.supervised + twin.supervised,
        longest=max(counted.longest, twin.longest),
        longest_row=counted.longest_row if counted.longest >= twin.longest else twin.longest_row,
        how=counted.how,
        exact=counted.exact,
    )


def _counter(spec: FinetuneSpec) -> Callable[[Path], Counted]:
    if spec.backend == "openai":
        encode = _o200k()
        if encode is not None:
            how = "tiktoken o200k_base, with 4 tokens around each message"
            return lambda file: _by_text(file, encode, how, exact=True)
        return lambda file: _by_text(
            file, _guess, "an estimate: 3 bytes a token; o200k_base is not on this machine", False
        )
    tokenizer = _tokenizer(spec)
    if tokenizer is None:
        how = f"an estimate: 3 bytes a token; the tokenizer of {spec.base} is not on this machine"
        return lambda file: _by_text(file, _guess, how, False)
    limit = spec.hyperparameters.max_length
    return lambda file: _by_template(file, tokenizer, limit, f"the tokenizer of {spec.base}")


def _by_template(file: Path, tokenizer: "PreTrainedTokenizerBase", limit: int, how: str) -> Counted:
    from selfaware.training.examples import encode_rows

    examples = encode_rows(tokenizer, read_rows(file), limit, str(file))
    longest = max(examples, key=lambda example: len(example.input_ids))
    return Counted(
        rows=examples[-1].row,
        tokens=sum(len(example.input_ids) for example in examples),
        supervised=sum(example.supervised for example in examples),
        longest=len(longest.input_ids),
        longest_row=longest.row,
        how=how,
        exact=True,
    )


def _by_text(file: Path, tokens: Callable[[str], int], how: str, exact: bool) -> Counted:
    rows = list(_of_rows(stream_rows(file), tokens))
    longest = max(range(len(rows)), key=lambda place: rows[place][0])
    return Counted(
        rows=len(rows),
        tokens=sum(all_of for all_of, _ in rows),
        supervised=sum(supervised for _, supervised in rows),
        longest=rows[longest][0],
        longest_row=longest + 1,
        how=how,
        exact=exact,
    )


def _of_rows(rows: Iterator[Row], tokens: Callable[[str], int]) -> Iterator[tuple[int, int]]:
    for row in rows:
        said = [tokens(message.content) for message in row.messages]
        # The token at the end of an answer is learned as well.
        supervised = sum(said[place] + 1 for place in row.supervised())
        yield sum(said) + MARKS * len(said), supervised


def _guess(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_A_TOKEN)


def _o200k() -> Callable[[str], int] | None:
    """OpenAI's tokenizer, where tiktoken and its table are on this machine."""
    try:
        import tiktoken
    except ImportError:
        return None
    named = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    folder = Path(named) if named else Path(tempfile.gettempdir()) / "data-gym-cache"
    # tiktoken fetches what is not there, without asking and without a time limit.
    if not (folder / hashlib.sha1(_O200K.encode()).hexdigest()).is_file():
        return None
    table = tiktoken.get_encoding("o200k_base")
    return lambda text: len(table.encode(text, disallowed_special=()))


def _tokenizer(spec: FinetuneSpec) -> "PreTrainedTokenizerBase | None":
    """The base's own tokenizer; None where it would have to be fetched."""
    if spec.backend == "local":
        place, revision = locate_base(spec.base)
    else:
        place, _, given = spec.base.partition("@")
        revision = given or "main"
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            place, revision=revision or "main", local_files_only=True
        )
    except (OSError, ValueError) as error:
        if revision is None:
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(f"cannot load the tokenizer of {spec.base!r}: {why}") from error
        return None
    return tokenizer if tokenizer.chat_template else None
