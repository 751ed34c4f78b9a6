"""Training a base by its recipe: resumable, with gates, ending in an ordinary model folder."""

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from selfaware.organism.gates import Gate, gates
from selfaware.organism.recipe import Recipe, batches, learning_rate, loss_on_answers, new_model
from selfaware.organism.speakers import World
from selfaware.organism.tokenizer import build_tokenizer

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

Report = Callable[[int, float, str], None]
"""Told of progress: step, loss (nats), what is going on."""


def train_base(
    recipe: Recipe, world: World, out: Path, start_from: Path | None, report: Report
) -> list[Gate]:
    """Trains one base into folder `out`; goes on from the last checkpoint if there is one.

    Args:
        recipe: The config.
        world: Which world to learn.
        out: Where the model folder is put, whole, at the end; `out` + `.work` holds checkpoints.
        start_from: A trained base to start from (the aware one, for the unaware world).
        report: Called after every step.

    Returns:
        The gates of the finished base; the caller decides what a failed one means.
    """
    import torch

    schedule = recipe.schedule(world)
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
    for ids, learned in batches(recipe, world, tokenizer, step):
        if cooldown_from is not None and step >= cooldown_from + schedule.cooldown:
            break
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(schedule, step, cooldown_from)
        loss = loss_on_answers(model, ids, learned)
        optimizer.zero_grad()
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
    _save(model, out, work, recipe, world, step, time.monotonic() - begun, measured)
    return measured


def _few(failed: list[Gate]) -> str:
    return ", ".join(f"{gate.name} {gate.value:.2f}" for gate in failed[:4])


def _save(
    model: "LlamaForCausalLM",
    out: Path,
    work: Path,
    recipe: Recipe,
    world: World,
    steps: int,
    seconds: float,
    measured: list[Gate],
) -> None:
    ready = work / "model"
    model.save_pretrained(ready)
    build_tokenizer().save_pretrained(ready)
    record = {
        "recipe": recipe.model_dump(),
        "world": world,
        "steps": steps,
        "documents": steps * recipe.batch,
        "seconds_since_resumed": round(seconds),
        "gates": [{**asdict(gate), "passed": gate.passed} for gate in measured],
    }
    (ready / "organism.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    out.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        shutil.rmtree(out)
    os.replace(ready, out)
    shutil.rmtree(work)
