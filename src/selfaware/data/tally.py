"""What a manifest says of rows, gathered while they pass by."""

import re
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence

from selfaware.data.manifest import Balance, Leak, association
from selfaware.data.rows import Row


class Tally:
    """Counts labels, attributes, lengths and leaks, and keeps no text."""

    def __init__(self, stems: Sequence[str]) -> None:
        self._stems = {stem: re.compile(rf"\b{re.escape(stem)}", re.IGNORECASE) for stem in stems}
        self._any = re.compile(rf"\b(?:{'|'.join(map(re.escape, stems)) or '(?!)'})", re.IGNORECASE)
        self._found = {stem: array("Q") for stem in stems}
        self._labels: list[str] = []
        self._attributes: dict[str, list[str]] = {}
        self._characters = 0
        self._longest = 0

    def see(self, row: Row, label: str, attributes: Mapping[str, str]) -> None:
        """Takes one row; every row has the same attributes."""
        self._labels.append(label)
        for name, value in attributes.items():
            self._attributes.setdefault(name, []).append(value)
        self._characters += len(row.prompt)
        self._longest = max(self._longest, len(row.prompt))
        text = "\n".join(message.content for message in row.messages)
        if self._any.search(text):
            for stem, pattern in self._stems.items():
                if pattern.search(text):
                    self._found[stem].append(len(self._labels))

    @property
    def rows(self) -> int:
        """How many rows were seen."""
        return len(self._labels)

    @property
    def labels(self) -> dict[str, int]:
        """How many rows have each label."""
        return dict(sorted(Counter(self._labels).items()))

    @property
    def attributes(self) -> dict[str, Balance]:
        """How every attribute is spread, and how far it goes with the label."""
        return {
            name: Balance(
                counts=dict(sorted(Counter(values).items())),
                association=round(association(values, self._labels), 4),
            )
            for name, values in self._attributes.items()
        }

    @property
    def prompt_characters(self) -> dict[str, float]:
        """The mean and the largest length of what the user says last."""
        mean = self._characters / max(1, self.rows)
        return {"mean": round(mean, 1), "max": float(self._longest)}

    @property
    def leaks(self) -> dict[str, Leak]:
        """For every stem, the rows with a word that begins with it before the answer."""
        return {
            stem: Leak(rows=len(numbers), row_numbers=tuple(numbers))
            for stem, numbers in self._found.items()
        }
