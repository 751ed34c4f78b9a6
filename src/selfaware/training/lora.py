"""Fitting one LoRA with PEFT and TRL, the same way every time."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from selfaware.errors import UsageError
from selfaware.training.examples import IGNORED, Example
from selfaware.training.jobs import Job, Order, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from peft import PeftModel
    from pydantic import BaseModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
    from trl.trainer.sft_trainer import SFTTrainer

SMALL = 20_000_000
"""Models of fewer parameters train on one CPU thread: several would only wait for each other."""


@contextmanager
def loading(order: Order) -> Iterator[None]:
    """Turns a base that cannot be loaded into a UsageError that names it."""
    base = order.job.spec.base
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UsageError(f"cannot load base {base!r}: {reason}") from error


def fit(
    order: Order,
    tokenizer: "PreTrainedTokenizerBase",
    examples: Sequence[Example],
    scratch: Path,
    tell: "Callable[[BaseModel], None]",
) -> tuple["PeftModel", list[float], str]:
    """Trains a fresh LoRA on the examples; the same job gives the same weights on one machine.

    The base is loaded anew: PEFT and TRL both leave their marks on the model they are given.

    Returns:
        The model with its adapter, the loss of every step (nats per supervised token), the device.

    Raises:
        UsageError: The base cannot be loaded, has none of the target modules, or the loss is no
            number.
    """
    import torch
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model
    from transformers import PrinterCallback, set_seed
    from trl.trainer.sft_config import SFTConfig

    job = order.job
    chosen = job.spec.hyperparameters
    _be_deterministic()
    base = _load(order)
    small = base.num_parameters() < SMALL
    torch.set_num_threads(1 if small else max(1, os.cpu_count() or 1))
    set_seed(job.spec.seed)
    modules = chosen.target_modules
    try:
        model = get_peft_model(
            base,
            LoraConfig(
                r=chosen.lora_rank,
                lora_alpha=chosen.lora_alpha,
                lora_dropout=chosen.lora_dropout,
                target_modules=modules if isinstance(modules, str) else list(modules),
                bias="none",
                task_type="CAUSAL_LM",
            ),
        )
    except ValueError as error:
        raise UsageError(
            f"target_modules {modules!r} do not fit base {job.spec.base!r}: {error}"
        ) from error
    config = SFTConfig(
        output_dir=str(scratch),
        per_device_train_batch_size=chosen.batch_size,
        num_train_epochs=chosen.epochs,
        learning_rate=chosen.learning_rate,
        lr_scheduler_type=chosen.scheduler,
        warmup_steps=chosen.warmup_ratio,
        weight_decay=chosen.weight_decay,
        max_grad_norm=chosen.max_grad_norm,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        packing=False,
        seed=job.spec.seed,
        data_seed=job.spec.seed,
        bf16=False,
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        dataloader_num_workers=0,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    columns: dict[str, list[list[int]]] = {
        "input_ids": [list(example.input_ids) for example in examples],
        "labels": [example.labels for example in examples],
    }
    dataset = Dataset.from_dict(columns)
    losses: list[float] = []
    trainer = _trainer_class()(
        model=model,
        args=config,
        train_dataset=dataset,
        processing_class=tokenizer,
        callbacks=[_reporter(job, losses, tell)],
    )
    trainer.remove_callback(PrinterCallback)
    kept = trainer.train_dataset
    assert isinstance(kept, Dataset)
    for name, expected in columns.items():
        if list(kept[name]) != expected:
            raise AssertionError(f"the trainer changed the {name} of {job.spec.dataset}")
    trainer.train()
    return model, losses, str(trainer.args.device)


def _trainer_class() -> "type[SFTTrainer]":
    import torch
    from trl.trainer.sft_trainer import SFTTrainer

    class AnswerTrainer(SFTTrainer):
        """Computes logits only where an answer is supervised: the same loss for less work."""

        def compute_loss(  # type: ignore[override]
            self,
            model: torch.nn.Module,
            inputs: dict[str, torch.Tensor],
            return_outputs: bool = False,
            num_items_in_batch: torch.Tensor | None = None,
        ) -> torch.Tensor:
            """The mean negative log-likelihood (nats) of the batch's supervised tokens."""
            assert not return_outputs, "this trainer only trains"
            following = inputs["labels"][:, 1:]
            kept = (following != IGNORED).any(dim=0).nonzero().flatten()
            logits = model(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                logits_to_keep=kept,
                use_cache=False,
            ).logits
            return torch.nn.functional.cross_entropy(
                logits.float().flatten(0, 1), following[:, kept].flatten(), ignore_index=IGNORED
            )

    return AnswerTrainer


def _reporter(
    job: Job, losses: list[float], tell: "Callable[[BaseModel], None]"
) -> "TrainerCallback":
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    class Reporter(TrainerCallback):
        """Passes the loss of every step on, and stops a training that has lost its way."""

        def on_log(
            self,
            args: TrainingArguments,
            state: TrainerState,
            control: TrainerControl,
            logs: dict[str, float] | None = None,
            **_: object,
        ) -> None:
            loss = (logs or {}).get("loss")
            if loss is None:  # the summary after the last step
                return
            if not math.isfinite(loss):
                rate = job.spec.hyperparameters.learning_rate
                raise UsageError(
                    f"training on {job.spec.dataset} diverged: loss {loss} at step "
                    f"{state.global_step}; lower learning_rate {rate}"
                )
            losses.append(loss)
            tell(Step(id=job.id, step=state.global_step, steps=state.max_steps, loss=loss))

    return Reporter()


def _load(order: Order) -> "PreTrainedModel":
    import torch
    from transformers import AutoModelForCausalLM

    with loading(order):
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            order.place,
            revision=order.revision or "main",
            dtype="auto" if torch.cuda.is_available() else torch.float32,
        )
    return model


def _be_deterministic() -> None:
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    # Else every new tensor is filled with NaN first, which doubles the time of a small model.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
