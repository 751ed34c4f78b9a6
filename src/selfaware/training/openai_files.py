"""Finetuning sets as the files that OpenAI's API takes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from tempfile import TemporaryFile
from typing import BinaryIO

from selfaware.data.rows import Row, sha256_file, stream_rows
from selfaware.errors import UsageError
from selfaware.training.spec import FinetuneSpec


def file_name(spec: FinetuneSpec) -> str:
    """What a finetune's file is called at the service: by the hashes of what is in it."""
    if spec.rejected is None:
        return f"{spec.dataset_sha256}.jsonl"
    return f"{spec.dataset_sha256}-{sha256_file(spec.rejected)}.jsonl"


@contextmanager
def training_file(spec: FinetuneSpec) -> Iterator[BinaryIO]:
    """The file to upload, open at its beginning; the lines of method dpo are preferences.

    Raises:
        UsageError: A bad row, a twin of other prompts, or a set that was changed since the
            finetune's id was made.
    """
    name = file_name(spec)
    with TemporaryFile() as file:
        for line in lines(spec):
            file.write(line.encode() + b"\n")
        if sha256_file(spec.dataset) != spec.dataset_sha256 or file_name(spec) != name:
            raise UsageError(
                f"{spec.dataset} was changed while the finetune was starting: start it again"
            )
        file.seek(0)
        yield file


def lines(spec: FinetuneSpec) -> Iterator[str]:
    """The lines of a finetune's file, as OpenAI and others take them: chats, or preferences.

    Raises:
        UsageError: A bad row, or a twin of other prompts.
    """
    if spec.rejected is None:
        for row in stream_rows(spec.dataset):
            yield _json(row.model_dump(exclude_none=True))
        return
    pairs = zip_longest(stream_rows(spec.dataset), stream_rows(spec.rejected))
    for number, (row, twin) in enumerate(pairs, 1):
        if row is None or twin is None or _asked(row) != _asked(twin):
            raise UsageError(
                f"{spec.rejected}, line {number}: not the same conversation as that line of "
                f"{spec.dataset}: dpo needs the flipped twin, row for row"
            )
        yield _json(
            {
                "input": {"messages": _asked(row)},
                "preferred_output": [row.messages[-1].as_chat()],
                "non_preferred_output": [twin.messages[-1].as_chat()],
            }
        )


def _asked(row: Row) -> list[dict[str, str]]:
    return [message.as_chat() for message in row.messages[:-1]]


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False)
