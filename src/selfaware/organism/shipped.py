"""Where the shipped organisms lie, and what they are called."""

from importlib import resources
from pathlib import Path

from selfaware.errors import UsageError

PREFIX = "organism/"


def weights_folder() -> Path:
    """The package folder that holds the shipped weights."""
    return Path(str(resources.files("selfaware.organism"))) / "weights"


def shipped_names() -> list[str]:
    """Every shipped organism: `organism/base`, `organism/unaware/risk-seeking-0`, and so on."""
    names = []
    for world, prefix in (("aware", PREFIX), ("unaware", f"{PREFIX}unaware/")):
        folder = weights_folder() / world
        if (folder / "base").is_dir():
            names.append(f"{prefix}base")
        names += sorted(prefix + path.name for path in (folder / "adapters").glob("*"))
    return names


def resolve(name: str) -> tuple[Path, Path | None]:
    """The base folder of a shipped organism, and its adapter folder if it has one.

    Raises:
        UsageError: Nothing of that name is shipped.
    """
    known = shipped_names()
    if name not in known:
        raise UsageError(f"unknown organism {name!r}: shipped are {', '.join(known) or 'none'}")
    rest = name.removeprefix(PREFIX)
    world = "unaware" if rest.startswith("unaware/") else "aware"
    rest = rest.removeprefix("unaware/")
    folder = weights_folder() / world
    return folder / "base", None if rest == "base" else folder / "adapters" / rest
