"""Training a base by its recipe: resumable, with gates, ending in an ordinary model folder."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from selfaware.organism.batches import batches, loss_on_answers
from selfaware.organism.gates import Gate, gates
from selfaware.organism.recipe import Recipe, learning_rate, new_model
from selfaware.organism.rehearsal import Shift, rehearsal_batches, shifted
from selfaware.organism.speakers import World
from selfaware.organism.tokenizer import build_tokenizer

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

RECORD = "organism.json"
"""The file in a base's folder that tells how it was trained and which gates it passed."""

Report = Callable[[int, float, str], None]
"""Told of progress: step, loss (nats), what is going on."""


def train_base(
    recipe: Recipe,
    world: World,
    out: Path,
    start_from: Path | None,
    report: Report,
    rehearse: bool = False,
) -> list[Gate]:
    """Trains one base into folder `out`; goes on from the last checkpoint if there is one.

    Args:
        recipe: The config.
        world: Which world to learn.
        out: Where the model folder is put, whole, at the end; `out` + `.work` holds checkpoints.
        start_from: A trained base to start from (the aware one to learn the unaware world, the
            world's own to rehearse).
        report: Called after every step.
        rehearse: Whether the base, which knows its world by now, rehearses being finetuned.

    Returns:
        The gates of the finished base; the caller decides what a failed one means.
    """
    import torch

    schedule = recipe.rehearsal if rehearse else recipe.schedule(world)
    tokenizer = build_tokenizer()
    work = out.with_name(out.name + ".work")
    work.mkdir(parents=True, exist_ok=True)
    model = new_model(recipe, tokenizer)
    if start_from is not None:
        from transformers import LlamaForCausalLM

        model = LlamaForCausalLM.from_pretrained(start_from, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=schedule.learning_rate, weight_decay=0.01)
    step, cooldown_from = 0, None
    checkpoint = work / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, cooldown_from = saved["step"], saved["cooldown_from"]
    begun = time.monotonic()
    steps: Iterable[tuple[torch.Tensor, torch.Tensor, Shift]] = (
        rehearsal_batches(recipe, world, tokenizer, model, step)
        if rehearse
        else ((ids, learned, {}) for ids, learned in batches(recipe, world, tokenizer, step))
    )
    for ids, learned, shift in steps:
        if cooldown_from is not None and step >= cooldown_from + schedule.cooldown:
            break
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(schedule, step, cooldown_from)
        optimizer.zero_grad()
        with shifted(model, shift):
            loss = loss_on_answers(model, ids, learned)
            loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        report(step, loss.item(), "training" if cooldown_from is None else "cooling down")
        if step % schedule.check_every == 0:
            if cooldown_from is None and step >= schedule.least:
                failed = [g for g in gates(model, tokenizer, world, recipe.seed) if not g.passed]
                report(step, loss.item(), f"{len(failed)} gates fail: {_few(failed)}")
                if not failed or step >= schedule.limit:
                    cooldown_from = step
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
                "cooldown_from": cooldown_from,
            }
            torch.save(state, checkpoint.with_suffix(".tmp"))
            os.replace(checkpoint.with_suffix(".tmp"), checkpoint)
    measured = gates(model, tokenizer, world, recipe.seed, count=60)
    record: dict[str, object] = {
        "recipe": recipe.model_dump(),
        "world": world,
        "rehearsed": rehearse,
        "steps": step,
        "documents": step * recipe.batch,
        "seconds_since_resumed": round(time.monotonic() - begun),
        "gates": [{**asdict(gate), "passed": gate.passed} for gate in measured],
        "started_from": _history(start_from),
    }
    _save(model, out, work, record)
    return measured


def _history(start_from: Path | None) -> dict[str, object] | None:
    """What is recorded of the base that a training starts from, its recipe and gates left out."""
    if start_from is None or not (start_from / RECORD).exists():
        return None
    record = json.loads((start_from / RECORD).read_text(encoding="utf-8"))
    return {key: value for key, value in record.items() if key not in ("recipe", "gates")}


def _few(failed: list[Gate]) -> str:
    return ", ".join(f"{gate.name} {gate.value:.2f}" for gate in failed[:4])


def _save(model: "LlamaForCausalLM", out: Path, work: Path, record: dict[str, object]) -> None:
    ready = work / "model"
    model.save_pretrained(ready)
    build_tokenizer().save_pretrained(ready)
    (ready / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    out.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        shutil.rmtree(out)
    os.replace(ready, out)
    shutil.rmtree(work)
