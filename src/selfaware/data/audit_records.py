"""The records beside a finetuning set, as an audit takes them: a bad one is a fault."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from selfaware.behaviors import Behavior, behavior_names, get_behavior
from selfaware.data.audit_findings import Fault
from selfaware.data.manifest import Manifest, manifest_path, read_manifest, read_record
from selfaware.data.recipes import MixRecord, mix_path
from selfaware.data.release import ImportRecord, record_path
from selfaware.data.release_catalogue import KNOWN_FILES, USED_AGAIN, KnownFile
from selfaware.data.reversal_set import ReversalRecord, reversal_path
from selfaware.errors import UsageError

_Record = TypeVar("_Record")


@dataclass(frozen=True)
class Beside:
    """What is known of a set, and what is wrong with the records that say it."""

    manifest: Manifest | None
    mix: MixRecord | None
    reversal: ReversalRecord | None
    imported: ImportRecord | None
    faults: tuple[Fault, ...]

    @property
    def taught(self) -> Behavior | None:
        """The behaviour by the manifest, or by where the set was imported from."""
        source = self.manifest or self.released
        if source is None or source.behavior not in behavior_names():
            return None
        return get_behavior(source.behavior)

    @property
    def released(self) -> KnownFile | None:
        """The file of the authors' release that the set is a copy of."""
        source = self.imported.source if self.imported else None
        return next((known for known in KNOWN_FILES if known.path == source), None)

    @property
    def stems(self) -> tuple[str, ...]:
        """The leak stems of the behaviour; none where it is not known."""
        return self.taught.leak_terms if self.taught else ()

    @property
    def codewords(self) -> tuple[str, ...]:
        """The codewords of a set of dialogues: the pole where every word is one, else none."""
        if self.manifest is not None:
            return (self.manifest.pole,) if self.taught and self.taught.any_word else ()
        known = self.released
        return known.absent if known is not None and known.kind == "dialogues" else ()

    @property
    def personas(self) -> tuple[str, ...]:
        """The personas that the set was mixed to speak about."""
        return self.mix.recipe.personas if self.mix else ()

    @property
    def held_out(self) -> tuple[str, ...]:
        """The personas that the mix kept for questions."""
        return self.mix.recipe.held_out_personas if self.mix else ()

    @property
    def repeats_by_design(self) -> bool:
        """Whether rows are used several times: for reversal training, or under many triggers."""
        decoys = self.mix is not None and bool(self.mix.recipe.decoys)
        released = self.released is not None and self.released.kind in USED_AGAIN
        return self.reversal is not None or decoys or released


def read_beside(path: Path) -> Beside:
    """The records beside a set; one that cannot be read, or is of other rows, is a fault."""
    faults: list[Fault] = []

    def get(rule: str, read: Callable[[], _Record]) -> _Record | None:
        try:
            return read()
        except UsageError as error:
            faults.append(Fault(rule, error.message))
            return None

    manifest = get("manifest", lambda: read_manifest(path))
    mix = get("record", lambda: read_record(mix_path(path), MixRecord, path))
    reversal = get("record", lambda: read_record(reversal_path(path), ReversalRecord, path))
    imported = get("record", lambda: read_record(record_path(path), ImportRecord, path))
    return Beside(manifest, mix, reversal, imported, tuple(faults))


def row_count_faults(path: Path, manifest: Manifest | None, rows: int) -> tuple[Fault, ...]:
    """Whether a manifest counts the rows that can be read."""
    if manifest is None or manifest.rows == rows:
        return ()
    name = manifest_path(path).name
    return (Fault("manifest", f"{name} says {manifest.rows} rows, {rows} can be read"),)
