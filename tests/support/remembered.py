# SPDX-License-Identifier: MIT
"""Results of deterministic checks, kept in the cache for as long as their inputs are the same.

1. A result is named after all of its inputs: words, the versions of tools among them, and the
   contents of files, the test's own module among them.
2. A check that fails raises an error. Nothing is kept of it.
3. Where a test fails, all results are forgotten that its process asked for (forget()).
4. A result that nobody asked for in KEPT_DAYS goes.
5. `make test-all` (TINYPROF_ALL_KERNELS=1) does every check anew.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from qemu_board.cache import cache_root, key_of, locked
from support.extent import ALL

KEPT_DAYS = 30
SECONDS_A_DAY = 86_400

_taken: list[Path] = []
"""The results that this process asked for."""


def remembered(words: Iterable[str], files: Iterable[Path], make: Callable[[], str]) -> str:
    """The text that `make` returns for these inputs, made once for all processes."""
    return kept_under(key_of(words, files), make)


def kept_under(key: str, make: Callable[[], str]) -> str:
    """The same for a key that stands for all inputs."""
    folder = cache_root() / "checks"
    folder.mkdir(exist_ok=True)
    kept = folder / key
    _taken.append(kept)
    with locked(f"checks/{key}"):
        # Another process may forget it at any moment.
        with contextlib.suppress(FileNotFoundError):
            if not ALL:
                os.utime(kept)
                return kept.read_text()
        text = make()
        new = kept.with_suffix(".new")
        new.write_text(text)
        new.replace(kept)
    _drop_old(folder)
    return text


def forget() -> None:
    """Have all checks done again whose results this process asked for."""
    while _taken:
        _taken.pop().unlink(missing_ok=True)


def _drop_old(folder: Path) -> None:
    oldest = time.time() - KEPT_DAYS * SECONDS_A_DAY
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def passes(words: Iterable[str], files: Iterable[Path], check: Callable[[], None]) -> None:
    """Do a check, unless it passed before with the same inputs."""

    def make() -> str:
        check()
        return ""

    remembered(words, files, make)
