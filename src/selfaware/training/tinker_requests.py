"""What a Tinker finetune asks of the service at each step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from selfaware.errors import UsageError
from selfaware.training.examples import Example
from selfaware.training.schedule import learning_rate
from selfaware.training.spec import TAKES, Hyperparameters

if TYPE_CHECKING:
    from tinker import (
        AdamParams,
        APIFuture,
        Datum,
        ForwardBackwardOutput,
        OptimStepResponse,
        TrainingClient,
    )

ATTENTION = frozenset({"q_proj", "k_proj", "v_proj", "o_proj"})
MLP = frozenset({"gate_proj", "up_proj", "down_proj"})
UNEMBED = frozenset({"lm_head"})
"""The groups of modules, each of which the service trains as a whole or leaves."""


def check(chosen: Hyperparameters) -> None:
    """Refuses hyperparameters that the service cannot be told.

    Raises:
        UsageError: The first of them.
    """
    switches(chosen)
    plain = Hyperparameters(lora_rank=chosen.lora_rank)
    for name in sorted(set(Hyperparameters.model_fields) - TAKES["tinker"]):
        if getattr(chosen, name) != getattr(plain, name):
            raise UsageError(
                f"{name} {getattr(chosen, name)!r}: Tinker has no such setting; leave it out, or "
                "use the local backend"
            )


class Switches(TypedDict):
    """Which groups of modules are trained, as the SDK is told."""

    train_attn: bool
    train_mlp: bool
    train_unembed: bool


def switches(chosen: Hyperparameters) -> Switches:
    """Which groups of modules to train.

    `all-linear` is what PEFT makes of it: everything but the output layer.

    Raises:
        UsageError: The modules are not whole groups.
    """
    if chosen.target_modules == "all-linear":
        return {"train_attn": True, "train_mlp": True, "train_unembed": False}
    wanted = set(chosen.target_modules)
    groups = (ATTENTION, MLP, UNEMBED)
    attention, mlp, unembed = (group <= wanted for group in groups)
    covered = (group for group in groups if group <= wanted)
    if not wanted or wanted - frozenset[str]().union(*covered):
        allowed = "; ".join(", ".join(sorted(group)) for group in groups)
        raise UsageError(
            f"target_modules {', '.join(sorted(wanted))}: Tinker trains whole groups of modules "
            f"({allowed}): name every module of a group, or all-linear"
        )
    return {"train_attn": attention, "train_mlp": mlp, "train_unembed": unembed}


def datum(example: Example, share: float) -> "Datum":
    """An example as the service takes it; each supervised token weighs `share` in the loss."""
    from tinker import Datum, ModelInput, TensorData

    ids = list(example.input_ids)
    before = len(ids) - 1 - example.supervised
    return Datum(
        model_input=ModelInput.from_ints(ids[:-1]),
        loss_fn_inputs={
            "target_tokens": TensorData(ids[1:], "int64", [len(ids) - 1]),
            "weights": TensorData(
                [0.0] * before + [share] * example.supervised, "float32", [len(ids) - 1]
            ),
        },
    )


@dataclass(frozen=True)
class Asked:
    """A step that the service was asked to make."""

    step: int
    weights: Sequence[Sequence[float]]
    gradient: "APIFuture[ForwardBackwardOutput]"
    update: "APIFuture[OptimStepResponse]"


def ask(
    client: "TrainingClient", chunk: Sequence[Example], step: int, update: "AdamParams"
) -> Asked:
    """Asks for a step over these examples; its answers are waited for later."""
    # The service adds the losses of tokens up: with these shares the sum is the batch's mean loss,
    # as in the local backend, and clipping means the same.
    share = 1 / sum(example.supervised for example in chunk)
    data = [datum(example, share) for example in chunk]
    return Asked(
        step=step,
        weights=[each.loss_fn_inputs["weights"].tolist() for each in data],
        gradient=client.forward_backward(data, "cross_entropy"),
        update=client.optim_step(update),
    )


def adam(chosen: Hyperparameters, step: int, steps: int) -> "AdamParams":
    """The optimizer's settings at a step (from 0): those of the local backend."""
    from tinker import AdamParams

    return AdamParams(
        learning_rate=learning_rate(chosen, step, steps),
        beta1=0.9,
        beta2=0.999,
        eps=1e-8,
        weight_decay=chosen.weight_decay,
        grad_clip_norm=chosen.max_grad_norm,
    )
