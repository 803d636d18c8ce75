# SPDX-License-Identifier: MIT
"""The mappings that processes held, of a source that sees whole mappings: a profile in, lines or
JSON fields out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from tinyprof.pages import page_ranges
from tinyprof.profile.mappings import MappingUse
from tinyprof.profile.model import FileUse, Profile
from tinyprof.tables.columns import ROWS_SHOWN, more, pages_kib, percent, table, wrapped


def mapping_rows(profile: Profile) -> list[dict[str, Any]]:
    """The field `mappings` of `tinyprof report --json`."""
    return [{"path": file.path, **asdict(it)} for file, it in _held(profile)]


def mapping_lines(profile: Profile, *, verbose: bool = False) -> Iterator[str]:
    """The mappings by the memory that their copies take in the steady state; no line where no
    source saw mappings."""
    held = _held(profile)
    if not held:
        return
    yield from wrapped("mappings, by the RAM that a copy takes in the steady state:")
    shown = held if verbose else held[:ROWS_SHOWN]
    rows = [
        (
            percent(it.steady, profile.steady_of(file)),
            f"{it.held / it.epochs:.1f}",
            f"{it.most:,}",
            pages_kib(it.pages),
            f"{file.path} {page_ranges(range(it.page, it.page + it.pages))}",
        )
        for file, it in shown
    ]
    yield from table(("time", "processes", "at most", "KiB", "mapping"), rows)
    if len(shown) < len(held):
        yield more(len(held) - len(shown), "mapping")


def _held(profile: Profile) -> list[tuple[FileUse, MappingUse]]:
    held = [(file, it) for file in profile.files for it in file.mappings]
    return sorted(held, key=lambda pair: (-pair[1].pages * pair[1].steady, pair[0].path))
