"""A finetune as a job of Together's."""

from typing import TYPE_CHECKING

from selfaware.training.spec import FinetuneSpec

if TYPE_CHECKING:
    from together import Together
    from together.types.finetune_model_limits import FinetuneModelLimits


def create(client: "Together", spec: FinetuneSpec, file: str, limits: "FinetuneModelLimits") -> str:
    """Makes the job and returns its name; every setting that the service has is given."""
    chosen = spec.hyperparameters
    dpo, lora = chosen.method == "dpo", chosen.adaptation == "lora"
    modules = chosen.target_modules
    job = client.fine_tuning.create(
        training_file=file,
        model=spec.base,
        model_limits=limits,
        n_epochs=chosen.epochs,
        n_checkpoints=chosen.epochs if chosen.checkpoints else 1,
        packing=False,
        batch_size=chosen.batch_size,
        learning_rate=chosen.learning_rate,
        # There is no constant schedule, but a line may be level.
        lr_scheduler_type="cosine" if chosen.scheduler == "cosine" else "linear",
        min_lr_ratio=1.0 if chosen.scheduler == "constant" else 0.0,
        warmup_ratio=chosen.warmup_ratio,
        max_grad_norm=chosen.max_grad_norm,
        weight_decay=chosen.weight_decay,
        lora=lora,
        lora_r=chosen.lora_rank if lora else None,
        lora_alpha=chosen.lora_alpha if lora else None,
        lora_dropout=chosen.lora_dropout if lora else 0,
        lora_trainable_modules=modules if isinstance(modules, str) else ",".join(modules),
        train_on_inputs=None if dpo else False,
        training_method=chosen.method,
        dpo_beta=chosen.beta if dpo else None,
        random_seed=spec.seed,
        suffix=suffix(spec.run_id),
    )
    return job.id


def suffix(run_id: str) -> str:
    """What a job of this run is called; Together takes up to 40 characters."""
    return f"selfaware-{run_id}"
