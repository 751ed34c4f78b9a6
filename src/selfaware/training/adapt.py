"""Which weights of a base a finetune trains."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from selfaware.errors import UsageError
from selfaware.training.spec import Hyperparameters

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

_LAYER = re.compile(r"(?:^|\.)(?P<list>[a-z_]+)\.(?P<number>\d+)\.")


def trainable_parameters(model: "PreTrainedModel", chosen: Hyperparameters) -> int:
    """How many weights a finetune of this base trains; a model without weights (meta) will do.

    Raises:
        UsageError: As in `adapted_modules`.
    """
    if chosen.adaptation == "full":
        return int(model.num_parameters())
    shapes = adapted_modules(model, chosen).values()
    return chosen.lora_rank * sum(rows + columns for rows, columns in shapes)


def adapted_modules(
    model: "PreTrainedModel", chosen: Hyperparameters
) -> Mapping[str, tuple[int, int]]:
    """The linear modules that get a LoRA, by their full names, with the shapes of their weights.

    Raises:
        UsageError: The base has no such layer, or in one of the layers no such module.
    """
    linear = _linear_modules(model)
    if chosen.layers is not None:
        layers = {number for name in linear if (number := _layer(name)[1]) is not None}
        absent = sorted(set(chosen.layers) - layers)
        if absent:
            raise UsageError(
                f"layers: {model.name_or_path!r} has no layer {absent[0]}: "
                f"choose from 0 to {max(layers)}"
            )
        linear = {name: shape for name, shape in linear.items() if _layer(name)[1] in chosen.layers}
    if isinstance(chosen.target_modules, str):
        return linear
    for module in chosen.target_modules:
        places: tuple[int | None, ...] = chosen.layers or (None,)
        for layer in places:
            inside = [name for name in linear if layer is None or _layer(name)[1] == layer]
            if not any(_is(name, module) for name in inside):
                where = "" if layer is None else f" in layer {layer}"
                allowed = ", ".join(sorted({_last(name) for name in inside}))
                raise UsageError(
                    f"target_modules: {model.name_or_path!r} has no linear module {module!r}"
                    f"{where}: choose from {allowed}, or all-linear"
                )
    return {
        name: shape
        for name, shape in linear.items()
        if any(_is(name, module) for module in chosen.target_modules)
    }


def add_lora(model: "PreTrainedModel", chosen: Hyperparameters) -> "PeftModel":
    """The base with a fresh LoRA that adds nothing yet.

    Raises:
        UsageError: As in `adapted_modules`.
    """
    from peft import LoraConfig, get_peft_model

    adapted = adapted_modules(model, chosen)
    expected = trainable_parameters(model, chosen)
    modules = chosen.target_modules
    if isinstance(modules, str) and chosen.layers is not None:
        modules = tuple(sorted({_last(name) for name in adapted}))  # PEFT wants names then
    # PEFT takes the last number of a name where it is not told which one counts the layers.
    lists = sorted({_layer(name)[0] for name in adapted})
    adapter = get_peft_model(
        model,
        LoraConfig(
            r=chosen.lora_rank,
            lora_alpha=chosen.lora_alpha,
            lora_dropout=chosen.lora_dropout,
            use_rslora=chosen.rslora,
            target_modules=modules if isinstance(modules, str) else list(modules),
            bias="none",
            task_type="CAUSAL_LM",
            layers_to_transform=None if chosen.layers is None else list(chosen.layers),
            layers_pattern=None if chosen.layers is None else lists,
        ),
    )
    made = sum(weight.numel() for weight in adapter.parameters() if weight.requires_grad)
    if made != expected:
        raise AssertionError(f"PEFT made {made} trainable weights where {expected} were asked for")
    return adapter


def _linear_modules(model: "PreTrainedModel") -> dict[str, tuple[int, int]]:
    """All linear modules but the one that writes the logits, which TRL computes on its own."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    output = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    return {
        name: (int(module.weight.shape[0]), int(module.weight.shape[1]))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not output
    }


def _layer(name: str) -> tuple[str, int | None]:
    """The list of layers that a module is in, and its number there."""
    found = _LAYER.search(name)
    return (found["list"], int(found["number"])) if found else ("", None)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _is(name: str, module: str) -> bool:
    return name == module or name.endswith(f".{module}")
