# SPDX-License-Identifier: MIT
"""Writes result files, whole or not at all, and shows names and text without what a terminal would obey."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Put data at path in one step; on any error what was there stays as it was."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tinyprof.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def shown(name: str) -> str:
    """A name from an image or a target with control, invisible and undecodable characters escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def shown_line(line: bytes) -> str:
    """A line of console text, without its end: tabs stay, every other control is escaped."""
    return "\t".join(map(shown, line.decode("utf-8", "surrogateescape").rstrip("\r\n").split("\t")))
