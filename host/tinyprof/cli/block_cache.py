# SPDX-License-Identifier: MIT
"""Where compressed blocks of earlier builds are kept."""

from __future__ import annotations

import os
from pathlib import Path

from tinyprof.cramfs.writing.cache import DiskCache
from tinyprof.cramfs.writing.compressor import compressor_name


def open_cache(level: int, zopfli: bool = False) -> DiskCache:
    """The compressed blocks of earlier builds, where the user keeps such things."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # Unlike Path.home() this never fails, and a folder that cannot be made is a cache unused.
    folder = Path(base) if base.startswith("/") else Path(os.path.expanduser("~/.cache"))  # noqa: PTH111
    return DiskCache(folder / "tinyprof", compressor_name(level, zopfli))
