"""Requests for fine-tuning jobs: checked, and with all hyperparameters settled."""

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from selfaware.testing.faults import Refusal, Refusing
from selfaware.testing.files import Files
from selfaware.testing.trainers import Order

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

ORGANISATION = "emulator"


def ordered(
    body: Mapping[str, object], bases: Mapping[str, str], files: Files, now: int
) -> "tuple[FineTuningJob, Order]":
    """The job that a request makes, and what its training needs.

    Args:
        body: Of the request.
        bases: The models that can be finetuned, and the base that each of them is.
        files: Where the training file is.
        now: The time.

    Raises:
        Refusing: The service would not have it.
    """
    from openai.types.fine_tuning import FineTuningJob
    from pydantic import ValidationError

    base, file = body.get("model"), str(body.get("training_file"))
    if base not in bases:
        raise Refusing(
            Refusal(400, f"Model {base} is not available for fine-tuning", param="model")
        )
    try:
        content = files.get(file).content
    except Refusing as error:
        text = f"{file} does not exist or has expired"
        raise Refusing(Refusal(400, text, param="training_file")) from error
    method, settled = _method(body)
    seed = body.get("seed")
    try:
        shown = FineTuningJob.model_validate(
            {
                "id": f"ftjob-{secrets.token_hex(12)}",
                "created_at": now,
                "hyperparameters": settled if method == "supervised" else {},
                "model": base,
                "object": "fine_tuning.job",
                "organization_id": ORGANISATION,
                "result_files": [],
                "seed": secrets.randbelow(2**31) if seed is None else seed,
                "status": "validating_files",
                "training_file": file,
                "metadata": body.get("metadata"),
                "method": {"type": method, method: {"hyperparameters": settled}},
            }
        )
    except ValidationError as error:
        raise Refusing(Refusal(400, str(error).splitlines()[0])) from error
    order = Order(
        job=shown.id,
        base=bases[str(base)],
        rows=content,
        method=method,
        epochs=int(settled["n_epochs"]),
        batch_size=int(settled["batch_size"]),
        learning_rate_multiplier=settled["learning_rate_multiplier"],
        beta=settled.get("beta", 0.1),
        seed=shown.seed,
    )
    return shown, order


def model_name(base: str, suffix: str | None, made: str) -> str:
    """The name of a finetuned model; its parts are those of OpenAI's names."""
    return f"ft:{base}:{ORGANISATION}:{suffix or ''}:{made}"


def _method(
    body: Mapping[str, object],
) -> tuple[Literal["supervised", "dpo"], dict[str, float]]:
    """The method of a request and its hyperparameters, `auto` settled."""
    given = body.get("method") or {"type": "supervised"}
    kind = given.get("type") if isinstance(given, Mapping) else None
    if kind not in ("supervised", "dpo"):
        raise Refusing(Refusal(400, f"Method {kind} is not supported", param="method"))
    assert isinstance(given, Mapping)
    own = given.get(kind) or {}
    chosen = own.get("hyperparameters") or body.get("hyperparameters") or {}
    if not isinstance(chosen, Mapping):
        raise Refusing(Refusal(400, "Invalid hyperparameters", param="method"))
    defaults = {"n_epochs": 3, "batch_size": 16, "learning_rate_multiplier": 1.0}
    if kind == "dpo":
        defaults["beta"] = 0.1
    settled = {
        name: value if chosen.get(name) in (None, "auto") else chosen[name]
        for name, value in defaults.items()
    }
    if not all(isinstance(value, int | float) and value > 0 for value in settled.values()):
        raise Refusing(Refusal(400, f"Invalid hyperparameters: {settled}", param="method"))
    return ("dpo" if kind == "dpo" else "supervised"), settled
