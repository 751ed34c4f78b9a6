"""A key that must be written down nowhere, and the search for it."""

import traceback
from pathlib import Path

KEY = "sk-planted-7d1f0c9be2a44c6d"


def assert_nowhere(folder: Path, *texts: str) -> None:
    """The key is in no file of the folder, in no process list, and in none of the texts."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    files += Path("/proc").glob("[0-9]*/cmdline")
    for file in files:
        try:
            content = file.read_bytes()
        except OSError:  # a process that has ended
            continue
        assert KEY.encode() not in content, file
    assert not any(KEY in text for text in texts)


def shown(error: BaseException) -> str:
    """Everything that an exception shows, its causes and contexts included."""
    parts: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        parts += traceback.format_exception(seen, chain=True)
        parts += [repr(seen), repr(seen.args), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(parts)
