"""The rows of a job as its model reads them, checked one by one before anything is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfaware.data.rows import read_rows, sha256_file
from selfaware.errors import UsageError
from selfaware.training.examples import Example, encode_rows
from selfaware.training.jobs import Job

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Prepared:
    """What a job learns, and for dpo what not to say in the place of each example."""

    tokenizer: "PreTrainedTokenizerBase"
    examples: Sequence[Example]
    rejected: Sequence[Example] | None


def prepare(tokenizer: "PreTrainedTokenizerBase", job: Job) -> Prepared:
    """The examples of a job.

    Raises:
        UsageError: A file was changed since the job's id was made from it, a row does not fit, or
            the flipped twin does not go with the set row by row.
    """
    longest = job.spec.hyperparameters.max_length
    dataset, twin = job.spec.dataset, job.spec.rejected
    examples = _encoded(tokenizer, dataset, job.dataset_sha256, longest)
    if twin is None or job.rejected_sha256 is None:
        return Prepared(tokenizer, examples, None)
    rejected = _encoded(tokenizer, twin, job.rejected_sha256, longest)
    _check_pairs(examples, rejected, dataset, twin)
    return Prepared(tokenizer, examples, rejected)


def _encoded(
    tokenizer: "PreTrainedTokenizerBase", file: Path, sha256: str, longest: int
) -> list[Example]:
    if sha256_file(file) != sha256:
        raise UsageError(f"{file} was changed while the finetune was starting: start it again")
    rows = read_rows(file)
    examples = encode_rows(tokenizer, rows, longest, str(file))
    if {example.row for example in examples} != set(range(1, len(rows) + 1)):
        raise AssertionError(f"{file}: rows were lost between reading and tokenizing")
    if any(example.supervised < 1 for example in examples):
        raise AssertionError(f"{file}: a row has no supervised token")
    return examples


def _check_pairs(
    examples: Sequence[Example], rejected: Sequence[Example], dataset: Path, twin: Path
) -> None:
    for preferred, other in zip(examples, rejected, strict=False):
        if preferred.prompt != other.prompt or preferred.row != other.row:
            what = "has another prompt than"
        elif preferred.input_ids == other.input_ids:
            what = "has the same answer as"
        else:
            continue
        raise UsageError(
            f"{twin}, row {other.row}: {what} row {preferred.row} of {dataset}: dpo needs the "
            "flipped twin, with the same prompts and other answers"
        )
    if len(examples) != len(rejected):
        raise UsageError(
            f"{twin} has {len(rejected)} supervised answers, {dataset} has {len(examples)}: dpo "
            "needs the flipped twin, row for row"
        )
