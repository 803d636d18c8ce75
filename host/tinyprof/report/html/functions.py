# SPDX-License-Identifier: MIT
"""Functions by their worth: rows and the names in their files in, a ranked list out.

A page that pays saves RAM. A function's worth is the part of that saving that falls to its bytes
on the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.ordering.bound import Bound
from tinyprof.profile.model import NamedRange
from tinyprof.report.html.frame import heads, safe, section, table
from tinyprof.rootfs.elf_names import Names
from tinyprof.tables.rows import FileRow
from tinyprof.text import counted

FUNCTIONS_SHOWN = 60
"""Functions in the list."""

PROGRAMS_SHOWN = 20
"""Programs in the list of those to order."""

PLACES_MAX = 200_000
"""Pairs of a function and a page that are looked at for this list, the most valuable files
first."""

SEARCH_CHARACTERS_MAX = 400_000
"""Characters of all function names that the search of a page knows."""


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """A function: the number of its file, its worth in bytes of RAM, its pages that pay, and the
    most epochs in which one of them was seen. `aliases`: number of its other names."""

    name: str
    aliases: int
    file: int
    worth: float
    pages: int
    epochs: int


class _Gathered:
    """The pages of one range of bytes, which may have several names."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.pages: set[int] = set()
        self.worth = 0.0
        self.epochs = 0

    def add(self, named: NamedRange, page: int, value: int, epochs: int) -> None:
        """Count a page once, under any number of names."""
        self.names.add(named.name)
        if page in self.pages:
            return
        self.pages.add(page)
        start, end = page * PAGE_SIZE, (page + 1) * PAGE_SIZE
        part = min(end, named.offset + named.size) - max(start, named.offset)
        self.worth += value * part / PAGE_SIZE
        self.epochs = max(self.epochs, epochs)


Values = Mapping[int, int]
"""Bytes of RAM that each page of a file saves."""


def functions_by_worth(
    rows: Sequence[FileRow], values: Sequence[Values], names: Sequence[Names]
) -> list[FunctionRow]:
    """The functions of most worth. Of each row there are the values of its pages and the names in
    its file."""
    left = PLACES_MAX
    found: list[FunctionRow] = []
    for number, (row, value, named) in enumerate(zip(rows, values, names, strict=True)):
        pages = sorted(value) if named.functions else []
        gathered: dict[tuple[int, int], _Gathered] = {}
        for page in pages:
            if left <= 0:
                break
            epochs = row.use.pages[page].any.epochs
            ranges = named.function_ranges_on(page)[:left]
            left -= len(ranges)
            for it in ranges:
                one = gathered.setdefault((it.offset, it.size), _Gathered())
                one.add(it, page, value[page], epochs)
        found += [
            FunctionRow(
                min(it.names), len(it.names) - 1, number, it.worth, len(it.pages), it.epochs
            )
            for it in gathered.values()
        ]
        found = nsmallest(FUNCTIONS_SHOWN, found, key=_rank)
    return found


def _rank(it: FunctionRow) -> tuple[float, int, int, str]:
    return -it.worth, -it.epochs, it.file, it.name


def searchable(rows: Sequence[FileRow], names: Sequence[Names]) -> dict[int, str]:
    """The functions on used pages by the number of their file, for the search, a line for each."""
    left = SEARCH_CHARACTERS_MAX
    found = {}
    for number, (row, named) in enumerate(zip(rows, names, strict=True)):
        listed: dict[str, None] = {}
        for page in sorted(row.use.pages) if named.functions else []:
            for name in named.functions_on(page):
                if left > 0 and name not in listed:
                    left -= len(name) + 1
                    listed[name] = None
            if left <= 0:
                break
        if listed:
            found[number] = "\n".join(map(safe_line, listed))
    return found


def safe_line(name: str) -> str:
    """A name as one line of text for the script, which shows none of it."""
    return "".join(c if c.isprintable() else " " for c in name)


def _also(it: FunctionRow) -> str:
    return f' <span class="dim">and {counted(it.aliases, "alias")}</span>' if it.aliases else ""


def function_list(rows: Sequence[FileRow], found: Sequence[FunctionRow]) -> Iterator[str]:
    """The list as HTML; nothing where no function is known."""
    if not found:
        return
    columns = [
        '<th scope="col">function</th><th scope="col" class="left">file</th>',
        *heads("worth, bytes of RAM", "pages that pay", "epochs"),
    ]
    lines = (
        f'<tr data-file="{it.file}"><td class="path">{safe(it.name)}{_also(it)}</td>'
        f'<td class="path left">{safe(rows[it.file].path)}</td>'
        f"<td>{it.worth:,.0f}</td><td>{it.pages:,}</td><td>{it.epochs:,}</td></tr>"
        for it in found
    )
    note = (
        "Worth is the part of the saving that falls to the function's bytes. A page does not tell "
        "which of its functions ran."
    )
    parts = table("functions by worth", columns, lines, "functions")
    yield from section("functions-by-worth", "Functions by worth", parts, note)


def order_list(denser: Sequence[Bound]) -> Iterator[str]:
    """The programs that a linker order could make denser, as HTML; nothing where there is none."""
    worth = [it for it in denser if it.saved][:PROGRAMS_SHOWN]
    if not worth:
        return
    columns = [
        '<th scope="col">program</th>',
        *heads("pages saved, at most", "pages used", "pages left, at least"),
    ]
    lines = (
        f'<tr><td class="path">{safe(it.path)}</td>'
        f"<td>{it.saved:,}</td><td>{it.used:,}</td><td>{it.least:,}</td></tr>"
        for it in worth
    )
    note = (
        "A linker can lay used functions side by side (<code>tinyprof order</code>). That saves "
        "RAM on any kernel, without XIP flash. The figures are bounds by the symbols."
    )
    parts = table("programs that an order makes denser", columns, lines, "orders")
    yield from section("denser-programs", "Programs that an order makes denser", parts, note)
