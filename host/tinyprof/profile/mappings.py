# SPDX-License-Identifier: MIT
"""The mappings of a file, from a source that sees whole mappings: for how long, and by how many
processes at the same time.

Uses in, one for each mapping out: added up, weighted, and as rows of a profile's text, which are
untrusted when they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any

from tinyprof.json_text import Broken
from tinyprof.pages import PROCESSES_MAX


@dataclass(frozen=True, slots=True)
class MappingUse:
    """One mapping of a file, over all boots.

    - `page`, `pages`: its first page in the file, and how many it has.
    - `epochs`: number of epochs in which a process held it, times the weights of their boots.
    - `steady`: number of these in the steady state, weighted in the same way.
    - `held`: sum over these epochs of the processes that held it at the same time, weighted. So
      `held` / `epochs` is the mean number of copies where each process has its own.
    - `held_steady`: the same sum over the epochs in the steady state.
    - `most`: the largest number of processes that held it at the same time.
    """

    page: int
    pages: int
    epochs: int
    steady: int
    held: int
    held_steady: int
    most: int

    def __add__(self, other: MappingUse) -> MappingUse:
        return replace(
            self,
            epochs=self.epochs + other.epochs,
            steady=self.steady + other.steady,
            held=self.held + other.held,
            held_steady=self.held_steady + other.held_steady,
            most=max(self.most, other.most),
        )

    def either(self, other: MappingUse) -> MappingUse:
        """Two uses that may be of the same epochs as one: the larger counts."""
        return MappingUse(*map(max, astuple(self), astuple(other)))

    def times(self, weight: int) -> MappingUse:
        """The use in a boot that counts `weight` times."""
        return replace(
            self,
            epochs=self.epochs * weight,
            steady=self.steady * weight,
            held=self.held * weight,
            held_steady=self.held_steady * weight,
        )


Join = Callable[[MappingUse, MappingUse], MappingUse]


def joined_mappings(
    one: Iterable[MappingUse], other: Iterable[MappingUse], join: Join
) -> tuple[MappingUse, ...]:
    """The mappings of both, by first page and pages; those of equal pages are joined."""
    found = {(use.page, use.pages): use for use in one}
    for use in other:
        before = found.get((use.page, use.pages))
        found[use.page, use.pages] = join(before, use) if before else use
    return tuple(found[place] for place in sorted(found))


def mappings_field(mappings: Iterable[MappingUse]) -> dict[str, Any]:
    """The field of a file that has them; nothing where there are none."""
    rows = [list(astuple(use)) for use in mappings]
    return {"mappings": rows} if rows else {}


def load_mappings(
    fields: Mapping[str, Any], file_pages: int, limit: int, where: str
) -> tuple[MappingUse, ...]:
    """Read the field of a file of `file_pages` pages. Counts are below `limit`. Raises Broken."""
    rows = fields.get("mappings", [])
    if type(rows) is not list:
        raise Broken(f"{where} mappings is no list")
    found = tuple(_load_mapping(row, file_pages, limit, where) for row in rows)
    places = {(use.page, use.pages) for use in found}
    if len(places) < len(found):
        raise Broken(f"{where} has a mapping twice")
    return tuple(sorted(found, key=lambda use: (use.page, use.pages)))


def _load_mapping(row: Any, file_pages: int, limit: int, where: str) -> MappingUse:
    if type(row) is list and len(row) == 7 and all(type(n) is int and 0 <= n < limit for n in row):
        use = MappingUse(*row)
        is_inside = use.pages > 0 and use.page + use.pages <= file_pages
        is_counted = 1 <= use.most <= PROCESSES_MAX and use.epochs > 0
        in_all = use.epochs <= use.held <= use.epochs * use.most
        in_steady = use.steady <= use.held_steady <= use.steady * use.most
        is_part = use.steady <= use.epochs and use.held_steady <= use.held
        if is_inside and is_counted and in_all and in_steady and is_part:
            return use
    raise Broken(f"{where} has an impossible mapping: {row!r:.80}")
