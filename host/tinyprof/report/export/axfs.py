# SPDX-License-Identifier: MIT
"""A profile as the table that `mkfs.axfs -i` reads: lines of `path,offset,count`, the highest
count first.

The path begins with a point. The offset is in bytes. The count is the number of epochs in which
the page was mapped. Pages that only read() or a private copy touched are left out, as AXFS's own
recorder leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterator

from tinyprof.pages import PAGE_SIZE
from tinyprof.profile.model import Profile


def axfs_lines(profile: Profile) -> tuple[list[str], list[str]]:
    """The lines, and the paths that the format cannot write."""
    unwritable = [file.path for file in profile.files if any(c in file.path for c in ",\n\r")]
    rows = sorted(
        (row for row in _rows(profile) if row[1] not in unwritable),
        key=lambda row: (-row[0], *row[1:]),
    )
    return [f".{path},{offset},{count}" for count, path, offset in rows], unwritable


def _rows(profile: Profile) -> Iterator[tuple[int, str, int]]:
    for file in profile.files:
        for page, use in file.pages.items():
            if mapped := use.mapped:
                yield mapped.epochs, file.path, page * PAGE_SIZE
