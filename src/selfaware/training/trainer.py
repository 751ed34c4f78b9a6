"""The losses that a finetune follows, on the supervised tokens alone, and what they are fed."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from accelerate.data_loader import SeedableRandomSampler
from torch.nn import functional
from trl.trainer.sft_trainer import SFTTrainer

from selfaware.training.examples import IGNORED, Example

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

Batch = dict[str, torch.Tensor]
Row = Mapping[str, list[int]]


def dataset_of(
    examples: Sequence[Example], rejected: Sequence[Example] | None, processes: int
) -> "Dataset":
    """The examples as a trainer takes them; beside each of them the one to avoid, if there is one.

    For several processes there is one empty example more, at the end: see `AllRowsOnce`.
    """
    from datasets import Dataset

    columns: dict[str, list[list[int]]] = {
        "input_ids": [list(example.input_ids) for example in examples],
        "labels": [example.labels for example in examples],
    }
    if rejected is not None:
        columns["rejected_ids"] = [list(example.input_ids) for example in rejected]
        columns["rejected_labels"] = [example.labels for example in rejected]
    if processes > 1:
        for name, rows in columns.items():
            rows.append([IGNORED if name.endswith("labels") else rows[0][0]] * 2)
    return Dataset.from_dict(columns)


class AllRowsOnce(torch.utils.data.Sampler[int]):
    """Every row once an epoch, in an order that follows from the seed; then empty rows.

    Several processes need the same number of rows each. accelerate would take the first rows a
    second time, so the loss would not be that of one process; the empty row adds nothing to it.
    The order is that of accelerate's own sampler, which this is not: accelerate would replace it.

    Args:
        dataset: Rows, the last of them the empty one.
        shares: What the number of rows is filled up to a multiple of.
        seed: Decides on the order.
    """

    def __init__(self, dataset: "Dataset", shares: int, seed: int) -> None:
        self._empty = len(dataset) - 1
        self._order = SeedableRandomSampler(range(self._empty), data_seed=seed)
        self._fill = -self._empty % shares

    def __iter__(self) -> Iterator[int]:
        yield from self._order
        yield from [self._empty] * self._fill

    def __len__(self) -> int:
        return self._empty + self._fill

    def set_epoch(self, epoch: int) -> None:
        """Tells the number of the epoch, which decides on the order beside the seed."""
        self._order.set_epoch(epoch)


class AnswerTrainer(SFTTrainer):
    """Computes logits only where an answer is supervised: the same loss for less work.

    The loss of a step is a mean over all that it is on, wherever that is computed: in however many
    portions, on however many processes.
    """

    # TRL's base class has None here, and so its type.
    loss_is_scaled_for_ga = True  # type: ignore[assignment]

    def _get_train_sampler(
        self, train_dataset: "Dataset | None" = None
    ) -> torch.utils.data.Sampler[int] | None:
        if self.args.world_size == 1:
            sampler: torch.utils.data.Sampler[int] | None = super()._get_train_sampler(
                train_dataset
            )
            return sampler
        shares = self.args.world_size * self.args.per_device_train_batch_size
        return AllRowsOnce(train_dataset or self.train_dataset, shares, self.args.seed)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Batch], num_batches: int, device: torch.device
    ) -> tuple[list[Batch], torch.Tensor]:
        """The portions of the next step, and how many things its loss is a mean over."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        counted = torch.stack([self.count(batch) for batch in batches]).sum().to(device)
        everywhere: torch.Tensor = self.accelerator.gather(counted)
        return batches, everywhere.sum()

    def count(self, batch: Batch) -> torch.Tensor:
        """How many tokens of a portion are supervised."""
        return (batch["labels"][:, 1:] != IGNORED).sum()

    # transformers lets the number of items be a plain one or none; here it is counted.
    def compute_loss(  # type: ignore[override]
        self,
        model: torch.nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """This portion's part of the step's loss (nats per supervised token, or per pair).

        Gradients are averaged over processes, hence the factor.
        """
        assert not return_outputs, "this trainer only trains"
        assert num_items_in_batch is not None
        part: torch.Tensor = self.summed_loss(model, inputs) / num_items_in_batch
        return part.mul(self.args.world_size)

    def summed_loss(self, model: torch.nn.Module, inputs: Batch) -> torch.Tensor:
        """The negative log-likelihood of all supervised tokens together."""
        return -log_likelihoods(model, inputs).sum()


class PreferenceTrainer(AnswerTrainer):
    """Direct preference optimisation (arXiv 2305.18290): to say one answer rather than another.

    The reference is the base: the model with its LoRA switched off, or `reference` where every
    weight is trained.
    """

    reference: torch.nn.Module | None = None
    beta: float = 0.1

    def count(self, batch: Batch) -> torch.Tensor:
        """How many pairs a portion holds."""
        return _supervised(batch).sum()

    def summed_loss(self, model: torch.nn.Module, inputs: Batch) -> torch.Tensor:
        """Minus the log-sigmoid of `beta` times the margin, summed over the pairs."""
        with torch.no_grad(), self._reference(model) as reference:
            before = log_likelihoods(reference, inputs)
        gain = log_likelihoods(model, inputs) - before
        preferred, rejected = gain.chunk(2)
        losses = -functional.logsigmoid(self.beta * (preferred - rejected))
        return (losses * _supervised(inputs)).sum()

    @contextmanager
    def _reference(self, model: torch.nn.Module) -> Iterator[torch.nn.Module]:
        if self.reference is not None:
            yield self.reference.to(self.args.device)
            return
        adapted = self.accelerator.unwrap_model(model)
        adapted.eval()
        with adapted.disable_adapter():
            yield adapted
        adapted.train()


def log_likelihoods(model: torch.nn.Module, inputs: Batch) -> torch.Tensor:
    """The log-likelihood (nats) of each sequence's supervised tokens."""
    following = inputs["labels"][:, 1:]
    kept = (following != IGNORED).any(dim=0).nonzero().flatten()
    logits = model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        logits_to_keep=kept,
        use_cache=False,
    ).logits
    losses = functional.cross_entropy(
        logits.float().flatten(0, 1),
        following[:, kept].flatten(),
        ignore_index=IGNORED,
        reduction="none",
    )
    return -losses.view(len(following), len(kept)).sum(dim=1)


def in_pairs(collate: Callable[[list[Row]], Batch]) -> Callable[[list[Row]], Batch]:
    """A collator that puts the preferred sequences of a portion first, then the rejected ones."""

    def collate_pairs(rows: list[Row]) -> Batch:
        sides = (("input_ids", "labels"), ("rejected_ids", "rejected_labels"))
        return collate(
            [
                {"input_ids": row[ids], "labels": row[labels]}
                for ids, labels in sides
                for row in rows
            ]
        )

    return collate_pairs


def reference_of(model: "PreTrainedModel") -> torch.nn.Module:
    """A copy of a base that no step changes."""
    reference: torch.nn.Module = copy.deepcopy(model)
    return reference.eval().requires_grad_(False)


def _supervised(batch: Batch) -> torch.Tensor:
    """Which pairs are no empty rows."""
    return (batch["labels"].chunk(2)[0] != IGNORED).any(dim=1)
