# SPDX-License-Identifier: MIT
"""The report of a comparison: text for a terminal, Markdown for a comment, or JSON fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tinyprof.cramfs.kernel import KERNEL_WORDS, KernelModel
from tinyprof.report.images.account import CAUSES, ImageAccount
from tinyprof.report.images.comparison import Comparison
from tinyprof.report.images.limits import Breach
from tinyprof.tables.columns import (
    ROWS_SHOWN,
    kib,
    more,
    signed_kib,
    signed_percent,
    table,
    wrapped,
)
from tinyprof.text import counted, shown

MARKDOWN_ROWS = 20
"""Rows of all tables of the Markdown together."""

PACKAGE_ROWS = 4
"""Rows of packages among these."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of both images: a name, two numbers, and whether they are bytes or a count."""

    name: str
    before: int
    after: int
    bytes: bool = True

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """The row's text: before, after, change, share, name."""
        change = self.after - self.before
        share = signed_percent(change, self.before) if self.before else ""
        if self.bytes:
            cells = kib(self.before), kib(self.after), _signed(change)
        else:
            cells = f"{self.before:,}", f"{self.after:,}", f"{change:+,}".replace("-", "−")
        return (*cells, share if change else "", self.name)


def _signed(size: int) -> str:
    """A change in KiB; of less than half a KiB in bytes, so that no change looks like none."""
    rounded = signed_kib(size)
    return rounded if rounded != "0" or not size else f"{size:+} B".replace("-", "−")


def figures(found: Comparison) -> list[Figure]:
    """The rows about the whole images. Causes without a byte in either image are left out."""
    old, new = found.old, found.new
    kernels: tuple[KernelModel, ...] = ("patched", "mainline")
    rows = [Figure("image", old.size, new.size)]
    rows += [
        Figure(words, old.causes[cause], new.causes[cause])
        for cause, words in CAUSES.items()
        if old.causes[cause] or new.causes[cause]
    ]
    if found.uses:
        before, after = found.uses
        rows.append(Figure("page cache, predicted", before.page_cache, after.page_cache))
        rows.append(Figure("page cache, steady state", before.steady, after.steady))
        rows.append(Figure("hot pages in place", _hot(old), _hot(new), False))
        rows.append(Figure("stale pages of the profile", before.stale, after.stale, False))
    if old.pages_in_place or new.pages_in_place:
        counts = [("number of pages in place", old.pages_in_place, new.pages_in_place)]
        for kernel in kernels:
            words = f"mapped by {KERNEL_WORDS[kernel]}"
            counts.append((words, old.mapped[kernel], new.mapped[kernel]))
        rows += [Figure(*count, False) for count in counts]
    return rows


def _hot(account: ImageAccount) -> int:
    return sum(mapped for _, mapped in account.use.hot.values()) if account.use else 0


def summary(found: Comparison) -> str:
    """The numbers of paths by the kind of their change."""
    counts = {"added": 0, "removed": 0, "grown": 0, "shrunk": 0, "changed": 0}
    for it in found.changes:
        counts[it.kind] += 1
    named = [f"{count:,} {kind}" for kind, count in counts.items() if count]
    if not named:
        return "no path differs"
    verb = "differs" if len(found.changes) == 1 else "differ"
    return f"{counted(len(found.changes), 'path')} {verb}: {', '.join(named)}"


def breach_text(breach: Breach) -> str:
    """The sentence about a limit that is exceeded."""
    grown = breach.after - breach.before
    return (
        f"{breach.what}: {breach.after:,} bytes, {grown:+,} from {breach.before:,}: "
        f"over the limit {breach.limit}"
    )


def text_lines(
    found: Comparison, exceeded: Sequence[Breach], *, verbose: bool = False
) -> Iterator[str]:
    """The text for a terminal. `verbose`: all paths."""
    yield from table(
        ("before", "after", "change", "", "KiB, or pages"), [it.cells for it in figures(found)]
    )
    yield from wrapped(summary(found))
    if found.lost:
        yield from wrapped(_lost_text(found))
    changes = found.changes if verbose else found.changes[:ROWS_SHOWN]
    if changes:
        rows = [
            (_signed(it.growth), f"{it.in_place:+,}" if it.in_place else "", it.kind, it.path)
            for it in changes
        ]
        yield from table(("KiB", "in place", "", "path"), rows)
    if len(changes) < len(found.changes):
        yield more(len(found.changes) - len(changes), "path")
    packages = _packages(found)
    if packages:
        yield from table(
            ("before", "after", "change", "", "package, KiB"), [it.cells for it in packages]
        )
    for breach in exceeded:
        yield from wrapped(breach_text(breach))


def _lost_text(found: Comparison) -> str:
    files = counted(len(found.lost), "file")
    pages = counted(sum(found.lost.values()), "hot page")
    return f"{pages} of {files} no longer mapped in place"


def _packages(found: Comparison) -> list[Figure]:
    """The packages whose bytes differ, those that differ most first."""
    rows = [Figure(name, *sizes) for name, sizes in found.packages.items() if sizes[0] != sizes[1]]
    return sorted(rows, key=lambda it: (-abs(it.after - it.before), it.name))


def markdown_lines(found: Comparison, exceeded: Sequence[Breach] | None) -> Iterator[str]:
    """The text for a comment: tables of MARKDOWN_ROWS rows altogether. `exceeded` is None where
    nothing was limited."""
    new = found.new
    grown = _signed(new.size - found.old.size)
    verdict = "" if exceeded is None else ", within the limits"
    if exceeded:
        verdict = f", over {counted(len(exceeded), 'limit')}"
    yield f"**{_escaped(new.name)}: {kib(new.size)} KiB ({grown} KiB){verdict}**"
    for breach in (exceeded or ())[:MARKDOWN_ROWS]:
        yield f"- {_escaped(breach_text(breach))}"
    yield ""
    rows = figures(found)
    yield from _markdown_table(("KiB, or pages", "before", "after", "change", ""), rows)
    packages = _packages(found)[:PACKAGE_ROWS]
    if packages:
        yield ""
        yield from _markdown_table(("package, KiB", "before", "after", "change", ""), packages)
    room = max(0, MARKDOWN_ROWS - len(rows) - len(packages))
    yield ""
    lost = f"; {_lost_text(found)}" if found.lost else ""
    yield f"{summary(found)}{lost}."
    if found.changes and room:
        yield ""
        yield "| path | | KiB | pages in place |"
        yield "|---|---|---:|---:|"
        for it in found.changes[:room]:
            in_place = f"{it.in_place:+,}" if it.in_place else ""
            yield f"| {_escaped(it.path)} | {it.kind} | {_signed(it.growth)} | {in_place} |"


def _markdown_table(heads: Sequence[str], rows: Sequence[Figure]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|---|---:|---:|---:|---:|"
    for row in rows:
        *numbers, name = row.cells
        yield f"| {' | '.join([_escaped(name), *numbers])} |"


def _escaped(name: str) -> str:
    """A name that a table of Markdown shows as it is, whatever is in it."""
    text = shown(name)
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>()#+!|~&@$" else char for char in text)


def comparison_fields(found: Comparison, exceeded: Sequence[Breach]) -> dict[str, Any]:
    """The fields of `tinyprof image diff --format json`."""
    return {
        "old": _account_fields(found.old),
        "new": _account_fields(found.new),
        "growth": found.new.size - found.old.size,
        "files": [{**asdict(it), "kind": it.kind, "growth": it.growth} for it in found.changes],
        "packages": {name: list(sizes) for name, sizes in found.packages.items()},
        "hot_pages_lost": dict(found.lost),
        "exceeded": [asdict(it) for it in exceeded],
    }


def _account_fields(account: ImageAccount) -> dict[str, Any]:
    use = account.use
    return {
        "name": account.name,
        "size": account.size,
        "causes": dict(account.causes),
        "pages_in_place": account.pages_in_place,
        "mapped": dict(account.mapped),
        "page_cache": use.page_cache if use else None,
        "steady": use.steady if use else None,
        "used_pages": use.used if use else None,
        "stale_pages": use.stale if use else None,
        "hot_pages_in_place": _hot(account) if use else None,
        "kernel": use.kernel if use else None,
    }
