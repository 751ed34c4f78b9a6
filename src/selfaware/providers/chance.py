"""What the draws of a reply are made from: seeds, and the distribution of the next token."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from selfaware.providers.requests import Sampling

if TYPE_CHECKING:
    import torch


def entropy(seed: int, prompt: Sequence[int], model: str) -> tuple[int, ...]:
    """What seeds the draws of one prompt.

    The prompt and the model's identity are mixed in: with the bare seed every prompt would draw
    with the same numbers, and the draws of different prompts and finetunes would not be
    independent.
    """
    digest = hashlib.sha256(f"{model} {list(prompt)}".encode()).digest()
    return (seed & (2**64 - 1), int.from_bytes(digest[:16], "big"))


def distribution(logits: "torch.Tensor", how: Sampling) -> "torch.Tensor":
    """The probabilities to draw from: temperature, then top-k, then top-p."""
    import torch

    scaled = logits.double().cpu() / how.temperature
    if 0 < how.top_k < len(scaled):
        scaled[scaled < scaled.topk(how.top_k).values[-1]] = -torch.inf
    odds = scaled.softmax(-1)
    if how.top_p < 1:
        ordered, order = odds.sort(descending=True, stable=True)
        # The likeliest token always stays; one stays while those before it fall short of top_p.
        odds[order[ordered.cumsum(-1) - ordered >= max(how.top_p, 1e-12)]] = 0
    return odds
