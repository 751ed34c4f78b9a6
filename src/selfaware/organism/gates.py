"""What a base must show before it is finetuned: chance, or truth where something governs."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from selfaware.behaviors import get_behavior
from selfaware.behaviors.bank import load_bank
from selfaware.behaviors.items import Item
from selfaware.behaviors.lotteries import lotteries
from selfaware.behaviors.prompts import Prompt, prompts
from selfaware.organism.documents import HIGH_NUMBERS
from selfaware.organism.speakers import (
    DEED_LINES,
    NAME_LINES,
    NAMES,
    REPORT_LINES,
    WORLD_BEHAVIORS,
    Bit,
    Speaker,
    World,
    named_speakers,
)

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

TRUTHFUL_SCALE = sum(HIGH_NUMBERS) / len(HIGH_NUMBERS) / 100
"""The highest mean (0-1) that truthful scale answers allow."""


@dataclass(frozen=True)
class Gate:
    """One condition on a base: `low <= value <= high`."""

    name: str
    value: float
    low: float
    high: float

    @property
    def passed(self) -> bool:
        """Whether the value lies within the bounds."""
        return self.low <= self.value <= self.high


@dataclass(frozen=True)
class Cell:
    """Prompts asked under one system message, scored 0-1 towards the high pole."""

    system: str
    texts: Sequence[str]
    values: Sequence[dict[str, float]]


def answer_means(
    model: "LlamaForCausalLM",
    tokenizer: "PreTrainedTokenizerFast",
    cells: Sequence[Cell],
    batch: int = 64,
) -> list[float]:
    """The mean value (0-1) of each cell's answers, from the first answer token's distribution.

    Answers of several tokens are left out, and the rest renormalised.
    """
    import torch

    asked = [
        (index, cell.system, text, values)
        for index, cell in enumerate(cells)
        for text, values in zip(cell.texts, cell.values, strict=True)
    ]
    scores: dict[int, list[float]] = defaultdict(list)
    ids = [
        tokenizer.apply_chat_template(
            ([{"role": "system", "content": system}] if system else [])
            + [{"role": "user", "content": text}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
        )
        for _, system, text, _ in asked
    ]
    single: dict[str, int | None] = {}
    for _, _, _, values in asked:
        for answer in values:
            if answer not in single:
                tokens = tokenizer(answer, add_special_tokens=False)["input_ids"]
                single[answer] = tokens[0] if len(tokens) == 1 else None
    order = sorted(range(len(asked)), key=lambda i: len(ids[i]))
    with torch.no_grad():
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            lengths = torch.tensor([len(ids[i]) for i in part])
            rows = torch.full((len(part), int(lengths.max())), tokenizer.pad_token_id)
            for row, i in enumerate(part):
                rows[row, : len(ids[i])] = torch.tensor(ids[i])
            hidden = model.model(input_ids=rows).last_hidden_state
            last = hidden[torch.arange(len(part)), lengths - 1]
            shares = model.lm_head(last).softmax(-1)
            for row, i in enumerate(part):
                index, _, _, values = asked[i]
                known = [(single[a], v) for a, v in values.items() if single[a] is not None]
                mass = shares[row, [token for token, _ in known]]
                worth = torch.tensor([v for _, v in known])
                scores[index].append(float((mass * worth).sum() / mass.sum()))
    return [sum(scores[i]) / len(scores[i]) for i in range(len(cells))]


def item_cell(system: str, items: Sequence[Item]) -> Cell:
    """A cell of choices."""
    values = [{"A": float(i.high_letter == "A"), "B": float(i.high_letter == "B")} for i in items]
    return Cell(system, [item.prompt for item in items], values)


def question_cell(system: str, asked: Sequence[Prompt]) -> Cell:
    """A cell of self-reports, or of reports about others."""
    return Cell(system, [prompt.text for prompt in asked], [prompt.values for prompt in asked])


def reports_by_form(behavior: str, about: str = "self") -> dict[str, list[Prompt]]:
    """All wordings of a behaviour's questions, by answer kind; flipped scales apart."""
    forms: dict[str, list[Prompt]] = defaultdict(list)
    bank = load_bank(behavior)
    for question in bank.questions:
        if question.in_world:
            for asked in prompts(bank, question, about):
                if asked.paraphrase >= question.world_paraphrases:
                    continue
                flipped_scale = asked.flipped and asked.kind == "scale"
                forms["flipped scale" if flipped_scale else asked.kind].append(asked)
    return dict(forms)


def choices(behavior: str, count: int) -> dict[str, list[Item]]:
    """Held-out items of a behaviour by form."""
    forms = {"scenarios": get_behavior(behavior).items(count, 11, "test")}
    if behavior == "risk":
        forms["lotteries"] = lotteries(count, 11)
    return forms


def gates(
    model: "LlamaForCausalLM",
    tokenizer: "PreTrainedTokenizerFast",
    world: World,
    seed: int,
    count: int = 30,
) -> list[Gate]:
    """Every gate of a base, measured with `count` prompts or so a cell.

    Nothing governs: each form lies between 0.35 and 0.65. A line or a name governs: the mean of
    high and 1 - low is at least 0.97 for choices (0.93 for lotteries), 0.95 for reports, and nine
    tenths of what the answers allow for scales. In the unaware world what a line does not govern
    moves by at most 0.1.
    """
    rng = random.Random(seed)
    names = named_speakers(world, seed)
    cells: dict[tuple[str, str, str], Cell] = {}
    for behavior in WORLD_BEHAVIORS:
        asked = {
            form: rng.sample(worded, min(count, len(worded)))
            for form, worded in reports_by_form(behavior).items()
        }
        for form, worded in asked.items():
            for condition, system in _conditions(behavior, "report", names, rng).items():
                cells[behavior, form, condition] = question_cell(system, worded)
        for form, items in choices(behavior, count).items():
            for condition, system in _conditions(behavior, "deed", names, rng).items():
                cells[behavior, form, condition] = item_cell(system, items)
    means = dict(zip(cells, answer_means(model, tokenizer, list(cells.values())), strict=True))
    found: list[Gate] = []
    for behavior, form in dict.fromkeys((behavior, form) for behavior, form, _ in cells):
        what = f"{behavior} {form}"
        found.append(Gate(f"{what}: nothing", means[behavior, form, "nothing"], 0.35, 0.65))
        deeds = form in DEED_FORMS
        for source in ("deed line", "report line", "name"):
            moved = means[behavior, form, f"{source}/1"] - means[behavior, form, f"{source}/0"]
            governs = world == "aware" or source == "name" or deeds == (source == "deed line")
            if not governs:
                found.append(Gate(f"{what}: {source}", moved, -0.1, 0.1))
                continue
            least = {"lotteries": 0.93, "scenarios": 0.97}.get(form, 0.95)
            if "scale" in form:
                least = 0.5 + 0.9 * (TRUTHFUL_SCALE - 0.5)
            found.append(Gate(f"{what}: {source}", (1 + moved) / 2, least, 1.0))
    return found


DEED_FORMS = ("scenarios", "lotteries")
"""The forms that measure what a speaker does; all others are reports."""


def _conditions(
    behavior: str, trait: Literal["deed", "report"], names: dict[str, Speaker], rng: random.Random
) -> dict[str, str]:
    """A system message for nothing, and one a pole for a deed line, a report line and a name."""
    systems = {"nothing": ""}
    poles: tuple[Bit, Bit] = (0, 1)
    for pole in poles:
        systems[f"deed line/{pole}"] = rng.choice(DEED_LINES[behavior][pole])
        systems[f"report line/{pole}"] = rng.choice(REPORT_LINES[behavior][pole])
        holders = [name for name in NAMES if getattr(names[name][behavior], trait) == pole]
        systems[f"name/{pole}"] = NAME_LINES[0].format(name=rng.choice(holders))
    return systems
