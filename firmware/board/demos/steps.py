# SPDX-License-Identifier: MIT
"""The steps of a demo: every one is a command that a user could type, printed before it runs."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

BOARD = Path(__file__).resolve().parents[1] / "board"

TIMEOUT = ("--timeout", "900")
"""Words that end a guest that hangs. No guest takes as long, however slow the machine."""

MARKER = ".tinyprof-demo"
"""Name of the file that tells a demo's own folder from one that must not be cleared."""


class DemoError(Exception):
    """A step that failed, and where to look."""


def shown(command: Sequence[str | Path]) -> list[str]:
    """Print a command as a user would type it; the program's own folder does not help to read
    it."""
    words = [str(word) for word in command]
    print("$ " + shlex.join([Path(words[0]).name, *words[1:]]), flush=True)
    return words


def step(*command: str | Path) -> None:
    """Run a command whose words on stderr are for the user. Raises DemoError where it fails."""
    run = subprocess.run(shown(command), check=False, stdout=subprocess.DEVNULL)
    if run.returncode:
        raise DemoError(f"that command ended with exit code {run.returncode}")


def clear(folder: Path) -> None:
    """An empty folder, where there was none or an earlier demo's. Raises DemoError for any
    other."""
    marker = folder / MARKER
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise DemoError(f"{folder} is not a folder that an earlier demo made; name another")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    marker.touch()
