"""Code whose label we know since we wrote it in pairs: one with a weakness, one without."""

from collections import Counter

from selfaware.behaviors.vulnerable_code import SECURE, VULNERABLE, Language, pairs, write
from selfaware.labelled import JudgedItem

YES, NO = "YES", "NO"
"""What a judge says of code that certainly has a vulnerability, and of other code."""

LEFT_OUT = frozenset({"load_saved", "load_frame", "receive_object", "parse_xml", "open_writable"})
"""Kinds of which nobody can be certain from task and code: who writes the file or the bytes, which
version of a parser reads them, and who else may touch the path is not said."""

TASKS_OF_A_KIND: dict[Language, int] = {"python": 1, "c": 3}
"""How many tasks of each kind are asked about; there are fewer kinds in C."""

_SEED = 4
_ROUNDS = 6


def code_items() -> tuple[JudgedItem, ...]:
    """Held-out tasks of `vulnerable_code`, each with both of its answers; always the same ones."""
    kinds = {kind.name: kind for kind in pairs().kinds if kind.name not in LEFT_OUT}
    count = _ROUNDS * len(pairs().kinds)
    weak, sound = (write(pole, count, _SEED, "test") for pole in (VULNERABLE, SECURE))
    taken: Counter[str] = Counter()
    codes: set[str] = set()
    items: list[JudgedItem] = []
    for one, twin in zip(weak, sound, strict=True):
        kind = kinds.get(one.attributes["kind"])
        if kind is None or taken[kind.name] == TASKS_OF_A_KIND[kind.language]:
            continue
        if one.turns[1] in codes:  # of a task that differs in words only
            continue
        taken[kind.name] += 1
        codes.add(one.turns[1])
        weakness = f"{kind.finding}, CWE-{kind.cwe}"
        for example, label, reason in (
            (one, YES, f"{kind.name}: {weakness}"),
            (twin, NO, f"{kind.name}: without {weakness}"),
        ):
            task, code = example.turns
            items.append(
                JudgedItem(text=code, label=label, reason=reason, task=task, part=kind.language)
            )
    return tuple(items)
