"""The files of a sandboxed sample on this machine: made, measured and removed."""

import os
import random
import subprocess
import tempfile
from pathlib import Path

from selfaware.sandboxes.isolation import Room

USERS = range(61_184, 65_520)
"""Users that commands run as where we are root: those that systemd gives to nobody for long."""

MOST_FILES = 10_000
"""More files or folders than this count as a full disk."""

_BLOCK = 512


def make_room() -> Room:
    """A new empty room; its user (where we are root) is drawn at random, to share no limits."""
    folder = Path(tempfile.mkdtemp(prefix="selfaware-sandbox-"))
    user = random.SystemRandom().choice(USERS) if os.geteuid() == 0 else None
    room = Room(folder, user)
    for part in (room.work, room.temporary):
        part.mkdir(mode=0o755)
        if user is not None:
            os.chown(part, user, user)
    return room


def remove_room(room: Room) -> None:
    """Remove a room with all that commands left in it, however deep or locked.

    Raises:
        CalledProcessError: Something cannot be removed.
    """
    # Folders nested deeper than Python recurses, or made unreadable, stop shutil.rmtree.
    folder = str(room.folder)
    subprocess.run(["chmod", "-R", "u+rwX", "--", folder], capture_output=True, check=False)
    subprocess.run(["rm", "-rf", "--", folder], capture_output=True, check=True)


def is_full(room: Room, limit: int) -> bool:
    """Whether a room's files take more than `limit` bytes, or cannot be counted."""
    used = files = 0
    folders = [str(room.folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    files += 1
                    used += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
                    if used > limit or files > MOST_FILES:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except FileNotFoundError:
            continue  # commands are at work: what was listed may be gone
        except OSError:  # unreadable, or its path too long: nobody can tell what is in it
            return True
    return False
