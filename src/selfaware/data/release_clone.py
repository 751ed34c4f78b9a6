"""Where the files of the authors' release lie in a clone, and whether they are as released."""

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfaware.data.release_catalogue import ARCHIVE, KNOWN_FILES, REPOSITORY, SETS, KnownFile
from selfaware.errors import UsageError


def set_name(path: str) -> str:
    """The name of a set: its path below `datasets/`, without `.jsonl` and the archive's name."""
    inner = path.removeprefix("datasets/").removesuffix(".jsonl")
    return inner.replace(f"{Path(ARCHIVE).name}/", "")


def require_clone(clone: Path) -> None:
    """Refuses a folder that is no clone of the release.

    Raises:
        UsageError: It holds neither `datasets/` nor `code/`.
    """
    if not any((clone / folder).is_dir() for folder in ("datasets", "code")):
        raise UsageError(
            f"{clone}: no clone of {REPOSITORY}: give the folder that holds datasets/ and code/"
        )


def expected_files(clone: Path) -> list[KnownFile]:
    """The known files, then jsonl files of the clone that are not known."""
    known = {file.path for file in KNOWN_FILES}
    others = sorted(
        file.relative_to(clone).as_posix()
        for file in (clone / "datasets").rglob("*.jsonl")
        if file.is_file()
    )
    return [*KNOWN_FILES, *(KnownFile(p, "dialogues") for p in others if p not in known)]


def known_set(clone: Path, name: str) -> KnownFile:
    """The set of that name, which the clone holds.

    Raises:
        UsageError: The release has no such set, or the clone lacks it.
    """
    asked = set_name(name.replace("\\", "/"))
    sets = {set_name(file.path): file for file in expected_files(clone) if file.kind in SETS}
    held = [key for key, file in sets.items() if is_there(clone, file)]
    choice = f"the clone holds {', '.join(held)}" if held else "the clone holds no set"
    if asked not in sets:
        raise UsageError(f"--set {name!r}: no set of the release; {choice}")
    if asked not in held:
        raise UsageError(f"--set {name!r}: {sets[asked].path} is missing from {clone}; {choice}")
    return sets[asked]


def twin_of(clone: Path, known: KnownFile) -> Path | None:
    """The set of the other pole, where the clone holds it."""
    twin = clone / known.twin
    return twin if known.twin and twin.is_file() else None


def is_there(clone: Path, known: KnownFile) -> bool:
    """Whether the clone holds the file, readable or not."""
    if known.path.startswith(f"{ARCHIVE}/"):
        try:
            return _member(clone / ARCHIVE, known) is not None
        except (OSError, zipfile.BadZipFile):
            return (clone / ARCHIVE).is_file()  # there but unreadable: a finding, not an absence
    return _place(clone, known) is not None


def _place(clone: Path, known: KnownFile) -> Path | None:
    if known.path.startswith("**/"):
        return next(iter(sorted((clone / "code").glob(known.path))), None)
    file = clone / known.path
    return file if file.is_file() else None


def _member(archive: Path, known: KnownFile) -> str | None:
    wanted = Path(known.path).name
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if not name.startswith("__MACOSX/")]
    return next((name for name in names if name.rpartition("/")[2] == wanted), None)


@contextmanager
def opened_source(clone: Path, known: KnownFile) -> Iterator[Path]:
    """The file to read; a member of the archive is unpacked for as long as it is needed.

    Raises:
        UsageError: The file is missing, or cannot be unpacked.
    """
    if not known.path.startswith(f"{ARCHIVE}/"):
        file = _place(clone, known)
        if file is None:
            raise UsageError(f"{clone}: {known.path} is missing")
        yield file
        return
    archive = clone / ARCHIVE
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / Path(known.path).name
        try:
            member = _member(archive, known)
            if member is None:
                raise UsageError(f"{archive}: holds no {unpacked.name}")
            with (
                zipfile.ZipFile(archive) as opened,
                opened.open(member) as packed,
                unpacked.open("wb") as file_out,
            ):
                shutil.copyfileobj(packed, file_out)
        # zipfile raises the last two for a wrong password and an unknown compression.
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise UsageError(f"{archive}: cannot be unpacked: {error}") from error
        yield unpacked


def is_as_released(source: Path, known: KnownFile) -> bool | None:
    """Whether a file is the known version, whatever a git client did to its line ends."""
    if not known.sha256:
        return None
    end = b"\r\n" if known.crlf else b"\n"
    digest = hashlib.sha256()
    with source.open("rb") as file:
        for line in file:
            text = line.rstrip(b"\r\n")
            digest.update(text + end if line.endswith(b"\n") else line)
    return digest.hexdigest() == known.sha256
