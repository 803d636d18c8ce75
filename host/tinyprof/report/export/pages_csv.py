# SPDX-License-Identifier: MIT
"""A profile as a table of pages for a spreadsheet or a data frame: a profile in, CSV out.

Each used page has a row. The counts are those of the page seen as any kind: see "A page" in
docs/profile-format.md. `value` is the RAM in bytes that the page saves in place.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.value import Candidate
from tinyprof.profile.model import Profile
from tinyprof.profile.temperature import temperatures

HEADS = (
    "path",
    "sha256",
    "page",
    "offset",
    "hash",
    "class",
    "kinds",
    "epochs",
    "steady",
    "first",
    "last",
    "stretches",
    "longest",
    "boots",
    "of_epochs",
    "of_steady",
    "value",
)


def csv_lines(profile: Profile) -> Iterator[str]:
    """The heads and a row for each used page, by path and page, without line ends."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="")

    def line(row: tuple[object, ...]) -> str:
        out.seek(0)
        out.truncate()
        writer.writerow(row)
        return out.getvalue()

    yield line(HEADS)
    for file in profile.files:
        classes, steady = temperatures(profile, file), profile.steady_of(file)
        value = Candidate(file.path, file.size, b"", (), file.pages, steady).value
        epochs = profile.epochs_of(file)
        for page, use in sorted(file.pages.items()):
            seen = use.any
            counts = (seen.epochs, seen.steady, seen.first, seen.last, seen.stretches)
            place = file.path, file.sha256, page, page * PAGE_SIZE, use.hash
            kinds, last = (classes[page].value, use.kinds), (seen.longest, seen.boots)
            yield line((*place, *kinds, *counts, *last, epochs, steady, value(page)))
