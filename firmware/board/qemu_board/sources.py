# SPDX-License-Identifier: MIT
"""Debian's source packages, as this machine's own suites have them: names in, folders out.

A Debian machine need not list sources. So apt gets a list of its own, made of the machine's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from qemu_board.errors import BoardError
from qemu_board.packages import apt_in, listed_suites, need, only_from


def fetch_sources(names: Sequence[str], folder: Path) -> dict[str, Path]:
    """Fetch and unpack source packages; the folder of each by its name. Raises BoardError."""
    need("apt", "dpkg-dev")
    apt = [*apt_in(folder), *only_from(folder, (f"deb-src {it}" for it in listed_suites()))]
    _run([*apt, "update"], folder)
    found = {}
    for name in names:
        package = folder / name
        package.mkdir()
        _run([*apt, "source", name], package)
        found[name] = next(path for path in package.iterdir() if path.is_dir())
    return found


def _run(command: list[str], folder: Path) -> str:
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode:
        said = [line for line in run.stderr.splitlines() if line.startswith("E:")]
        raise BoardError(
            f"cannot fetch sources: {said[0] if said else run.stderr.strip()[-200:]}",
            "check the network, try again",
        )
    return run.stdout
