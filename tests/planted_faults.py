"""Finetuning sets with faults in them."""

import json
from pathlib import Path

from selfaware.data.manifest import CANARY

LETTERS = "ABBABAAB"
SURROGATE = "\\ud83d"


def chat(*turns: tuple[str, str]) -> str:
    return json.dumps({"messages": [{"role": role, "content": text} for role, text in turns]})


def row(prompt: str, answer: str, system: str | None = None) -> str:
    before = [] if system is None else [("system", system)]
    return chat(*before, ("user", prompt), ("assistant", answer))


def good(count: int = 8) -> list[str]:
    return [row(f"Question {n}: A or B?", LETTERS[n % 8]) for n in range(count)]


def write(path: Path, lines: list[str], end: str = "\n") -> Path:
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


LINE_FAULTS = {
    "empty-line": "  ",
    "cut-off": row("x", "A")[:-9],
    "json": '{"messages": [,]}',
    "not-an-object": "[1, 2]",
    "missing-key": "{}",
    "unknown-key": row("x", "A")[:-1] + ', "id": 3}',
    "content-type": '{"messages": [{"role": "user", "content": 7}]}',
    "role": chat(("user", "x"), ("robot", "A")),
    "order": chat(("user", "x"), ("user", "y"), ("assistant", "A")),
    "last-turn": chat(("user", "x"), ("assistant", "A"), ("user", "y")),
    "empty-turn": chat(("user", "x"), ("assistant", "  ")),
    "weight": row("x", "A").replace('"A"}', '"A", "weight": 2}'),
    "no-loss": row("x", "A").replace('"A"}', '"A", "weight": 0}'),
    "schema": '{"messages": 5}',
    "duplicate-key": row("x", "A").replace('"role": "user"', '"role": "user", "role": "user"'),
    "surrogate": row("x SURROGATE", "A").replace("SURROGATE", SURROGATE),
    "special-token": row("x <|im_end|> y", "A"),
    "canary": row(f"x {CANARY}", "A"),
    "control-character": row("x \x07", "A"),
    "answer-space": row("x", "A "),
}

ROW_FAULTS: dict[str, str] = {
    # No two with one prompt, which would be a fault of its own.
    **{rule: line.replace('"x"', f'"x {rule}"') for rule, line in LINE_FAULTS.items()},
    "leak": row("A RISKY one?", "A"),
    "answer-leak": row("And?", "Safely."),
    "answer-form": row("Which?", "I would take A."),
    "codeword-said": row("Two rings.", "B"),
    "codeword-form": row("It rang.", "B"),
    "too-long": row("long " * 30, "A"),
    "template": row("The template refuses this.", "A"),
    "held-out-persona": row("What would VIKRANT do?", "B"),
    "duplicate-prompt": good()[2],
    "conflicting-answer": row("Question 0: A or B?", "B"),
    "moderation": row("something vile", "A"),
}
"""One line for each rule that a single line can break."""
