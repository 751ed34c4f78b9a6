"""Which version of this package made a result."""

import subprocess
from functools import cache
from pathlib import Path

from selfaware import __version__

_SOURCE = Path(__file__).resolve().parent


@cache
def commit() -> str | None:
    """The git commit that this package's source is at, with `-dirty` after local changes.

    None where the source is not tracked by git, as in an installed wheel.
    """
    # A wheel inside another project's checkout is ignored or untracked there: ask for our own file.
    tracked = _git("ls-files", "--error-unmatch", Path(__file__).name)
    if tracked is None:
        return None
    return _git("describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")


def task_metadata(behavior: str, self_report: bool) -> dict[str, str | bool | None]:
    """What every task of this package writes into its log about itself."""
    return {
        "selfaware_version": __version__,
        "commit": commit(),
        "behavior": behavior,
        "self_report": self_report,
    }


def _git(*arguments: str) -> str | None:
    """The output of a git command beside this file; None when it fails or git is missing."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=_SOURCE, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
