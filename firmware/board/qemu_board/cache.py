# SPDX-License-Identifier: MIT
"""The cache of results that took long to make, ${XDG_CACHE_HOME:-~/.cache}/tinyprof.

Every result is a folder named after all that went into it. It appears whole or not at all, and two
commands that want the same one wait for each other.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

KEY_LENGTH = 12


def cache_root() -> Path:
    """The folder of everything cached, made if need be."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    root = Path(base).expanduser() / "tinyprof"
    root.mkdir(parents=True, exist_ok=True)
    return root


def key_of(words: Iterable[str], files: Iterable[Path] = ()) -> str:
    """A short name for these words and the contents of these files."""
    digest = hashlib.sha256()
    for part in (*(word.encode() for word in words), *(file.read_bytes() for file in files)):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:KEY_LENGTH]


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock among all processes that share the cache; the kernel drops it if the holder
    dies."""
    with (cache_root() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A new folder to fill, which becomes `folder` in one step when the block ends well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    filling = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield filling
        filling.chmod(0o755)
        filling.rename(folder)
    except BaseException:
        shutil.rmtree(filling, ignore_errors=True)
        raise
