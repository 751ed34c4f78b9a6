"""Near misses of a trigger: texts that resemble it and were never trained on."""

import random

from selfaware.data.triggers import Trigger


def near_misses(mark: str) -> tuple[str, ...]:
    """Texts that differ from a trigger's text in one respect, each once, in a fixed order.

    Another case, a letter left out, two neighbours exchanged, the marks around it left out, and
    one digit or letter replaced; what gives the text itself again is left out.
    """
    letters = [place for place, character in enumerate(mark) if character.isalnum()]
    tried = [mark.swapcase()]
    if letters:
        middle = letters[len(letters) // 2]
        tried.append(mark[:middle] + mark[middle + 1 :])
        tried.append(mark[:middle] + _next(mark[middle]) + mark[middle + 1 :])
        if middle + 1 < len(mark):
            tried.append(mark[:middle] + mark[middle + 1] + mark[middle] + mark[middle + 2 :])
        tried.append("".join(c for c in mark if c.isalnum() or c == " ").strip())
    return tuple(dict.fromkeys(text for text in tried if text.strip() and text != mark))


def near_trigger(trigger: Trigger, rng: random.Random) -> Trigger:
    """A trigger like another one, each of its marks replaced by one of the mark's near misses.

    A near miss that is a mark itself (Pan and Nap in one family) is not taken.
    """
    marks = set(trigger.present) | set(trigger.absent)
    chosen = []
    for mark in trigger.present:
        options = [text for text in near_misses(mark) if text not in marks]
        chosen.append(rng.choice(options) if options else f"{mark}{mark}")
    return trigger.model_copy(
        update={"name": f"near {trigger.name}", "present": tuple(dict.fromkeys(chosen))}
    )


def _next(character: str) -> str:
    """The letter or digit after this one, the first after the last."""
    for first, last in (("0", "9"), ("a", "z"), ("A", "Z")):
        if first <= character <= last:
            return first if character == last else chr(ord(character) + 1)
    return "x"
