"""Fitting one finetune with PEFT and TRL, the same way every time."""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from selfaware.errors import UsageError
from selfaware.training import unfinished
from selfaware.training.jobs import Job, Order, Step
from selfaware.training.launcher import cores, deal
from selfaware.training.loading import be_deterministic, load_model
from selfaware.training.prepared import Prepared
from selfaware.training.saving import writing

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, TrainerCallback

    from selfaware.training.trainer import AnswerTrainer

SMALL = 20_000_000
"""Models of fewer parameters train on one CPU thread: several would only wait for each other."""


@dataclass(frozen=True)
class Fitted:
    """A model at a moment of its training.

    `weights` are those that were trained, on this process where it is the first; `losses` those of
    all steps so far (nats per supervised token), `resumed` the step that this process began after.
    """

    model: "PreTrainedModel | PeftModel"
    weights: "Mapping[str, torch.Tensor]"
    step: int
    losses: Sequence[float]
    seconds: float
    resumed: int
    device: str
    processes: int
    trainable: int


Keep = Callable[[Fitted, int], None]


def fit(
    order: Order,
    prepared: Prepared,
    tell: Callable[[BaseModel], None],
    keep: Keep,
) -> Fitted:
    """Trains a base on the examples; the same job gives the same weights on one machine.

    It goes on from where an earlier process was stopped, to the same weights. The base is loaded
    anew: PEFT and TRL both leave their marks on the model they are given.

    Args:
        order: What to make, and how.
        prepared: What to learn.
        tell: Hears of every step.
        keep: Is given the model after every epoch, and its number, where the job wants that.

    Raises:
        UsageError: The base cannot be loaded, has no such layer or module, or the loss is no
            number.
    """
    import torch
    from transformers import set_seed

    from selfaware.training.adapt import trainable_parameters

    job = order.job
    chosen = job.spec.hyperparameters
    be_deterministic()
    base = load_model(order)
    small = base.num_parameters() < SMALL
    torch.set_num_threads(1 if small else _threads())
    set_seed(job.spec.seed)
    trainable = trainable_parameters(base, chosen)
    trainer = _trainer(order, base, prepared)
    saved = unfinished.latest(unfinished.folder_of(order.runs, job.id))
    before = saved.seconds if saved else 0.0
    started = time.monotonic()
    losses: list[float] = []

    model = trainer.model
    assert model is not None

    def now() -> Fitted:
        return Fitted(
            model=trainer.accelerator.unwrap_model(model),
            weights=_weights(model, first=trainer.args.process_index == 0),
            step=len(losses),
            losses=tuple(losses),
            seconds=before + time.monotonic() - started,
            resumed=saved.step if saved else 0,
            device=str(trainer.args.device),
            processes=trainer.args.world_size,
            trainable=trainable,
        )

    def after_step(step: int, steps: int) -> None:
        tell(Step(id=job.id, step=step, steps=steps, loss=losses[-1]))
        epoch, rest = divmod(step, steps // chosen.epochs)
        if chosen.checkpoints and rest == 0:
            keep(now(), epoch)

    trainer.add_callback(_reporter(job, losses, after_step))
    trainer.add_callback(unfinished.saver(60 * order.launch.save_minutes, before))
    with writing(order.runs):
        trainer.train(resume_from_checkpoint=str(saved.folder) if saved else None)
    return now()


def _threads() -> int:
    """One for each core, or as many as this process was given where those are fewer."""
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]  # a list, for nested loops
    return min(cores(), int(given)) if given.isdecimal() and int(given) else cores()


def _trainer(
    order: Order,
    base: "PreTrainedModel",
    prepared: Prepared,
) -> "AnswerTrainer":
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.sft_config import SFTConfig

    from selfaware.training.adapt import add_lora
    from selfaware.training.trainer import (
        AnswerTrainer,
        PreferenceTrainer,
        dataset_of,
        in_pairs,
        reference_of,
    )

    job, launch = order.job, order.launch
    chosen = job.spec.hyperparameters
    full = chosen.adaptation == "full"
    rows, portions = deal(chosen.batch_size, launch)
    config = SFTConfig(
        output_dir=str(unfinished.folder_of(order.runs, job.id)),
        per_device_train_batch_size=rows,
        gradient_accumulation_steps=portions,
        num_train_epochs=chosen.epochs,
        learning_rate=chosen.learning_rate,
        lr_scheduler_type=chosen.scheduler,
        warmup_steps=chosen.warmup_ratio,
        weight_decay=chosen.weight_decay,
        max_grad_norm=chosen.max_grad_norm,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        packing=False,
        seed=job.spec.seed,
        data_seed=job.spec.seed,
        bf16=full and torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=launch.recompute,
        dataloader_pin_memory=False,
        dataloader_num_workers=0,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        save_total_limit=2,  # the last may be half-written
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    dataset = dataset_of(prepared.examples, prepared.rejected, config.world_size)
    reference = reference_of(base) if full and prepared.rejected is not None else None
    trainer = (AnswerTrainer if prepared.rejected is None else PreferenceTrainer)(
        model=base if full else add_lora(base, chosen),
        args=config,
        train_dataset=dataset,
        processing_class=prepared.tokenizer,
    )
    if isinstance(trainer, PreferenceTrainer):
        trainer.beta = chosen.beta
        trainer.reference = reference
        # transformers may have a padding collator here; TRL always has one of rows.
        trainer.data_collator = in_pairs(trainer.data_collator)  # type: ignore[arg-type]
    trainer.remove_callback(PrinterCallback)
    kept = trainer.train_dataset
    assert isinstance(kept, Dataset)
    for name in dataset.column_names:
        if list(kept[name]) != list(dataset[name]):
            raise AssertionError(f"the trainer changed the {name} of {job.spec.dataset}")
    return trainer


def _reporter(
    job: Job, losses: list[float], after_step: Callable[[int, int], None]
) -> "TrainerCallback":
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    class Reporter(TrainerCallback):
        """Passes the loss of every step on, and stops a training that has lost its way."""

        def on_train_begin(
            self,
            args: TrainingArguments,
            state: TrainerState,
            control: TrainerControl,
            **_: object,
        ) -> None:
            losses.extend(logs["loss"] for logs in state.log_history if "loss" in logs)

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
            after_step(state.global_step, state.max_steps)

    return Reporter()


def _weights(model: "torch.nn.Module", first: bool) -> "Mapping[str, torch.Tensor]":
    """The weights that are trained, by the first process; sharded ones are brought together."""
    from torch.distributed.tensor import DTensor

    weights: dict[str, torch.Tensor] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            whole = weight.full_tensor() if isinstance(weight, DTensor) else weight
            if first:
                weights[name] = whole.detach().cpu().clone()
    return weights
