"""Loading a base to train it, in the same way every time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from selfaware.errors import UsageError
from selfaware.training.jobs import Order

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@contextmanager
def loading(order: Order) -> Iterator[None]:
    """Turns a base that cannot be loaded into a UsageError that names it."""
    base = order.job.spec.base
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UsageError(f"cannot load base {base!r}: {reason}") from error


def load_tokenizer(order: Order) -> "PreTrainedTokenizerBase":
    """The base's own tokenizer. Raises UsageError where it cannot be loaded."""
    from transformers import AutoTokenizer

    with loading(order):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            order.place, revision=order.revision or "main"
        )
    return tokenizer


def load_model(order: Order) -> "PreTrainedModel":
    """The base, for a job to train. Raises UsageError where it cannot be loaded."""
    import torch
    from transformers import AutoModelForCausalLM

    # A small step would be lost in a weight of 16 bits. A base under a LoRA takes no steps.
    exact = not torch.cuda.is_available() or order.job.spec.hyperparameters.adaptation == "full"
    with loading(order):
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            order.place,
            revision=order.revision or "main",
            dtype=torch.float32 if exact else "auto",
        )
    return model


def be_deterministic() -> None:
    """Makes torch compute the same thing the same way wherever it can."""
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    # Else every new tensor is filled with NaN first, which doubles the time of a small model.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
