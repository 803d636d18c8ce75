# SPDX-License-Identifier: MIT
"""Opens the cache of compressed blocks in the folder in which the user keeps such things."""

from __future__ import annotations

import os
from pathlib import Path

from tinyprof.cramfs.writing.cache import DiskCache
from tinyprof.cramfs.writing.compressor import CompressorName, compressor_name


def open_cache(
    level: int, zopfli: bool = False, compressor: CompressorName | None = None
) -> DiskCache:
    """The compressed blocks of earlier builds. Raises CompressorError."""
    return DiskCache(cache_folder(), compressor_name(level, zopfli, compressor))


def cache_folder() -> Path | None:
    """tinyprof's folder for things that can be made again; it need not exist.

    1. $XDG_CACHE_HOME/tinyprof, if that is an absolute path;
    2. else ~/.cache/tinyprof;
    3. else none. Without HOME and without an entry in /etc/passwd there is no home directory, and
       a folder of the name ~ must not be made.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    # Unlike Path.home() this never fails.
    home = os.path.expanduser("~/.cache")  # noqa: PTH111
    folder = base if base.startswith("/") else home
    return Path(folder) / "tinyprof" if folder.startswith("/") else None
