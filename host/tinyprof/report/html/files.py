# SPDX-License-Identifier: MIT
"""The report's files: rows in, a table, a tree by directory and heat maps out, as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from tinyprof.report.html.frame import safe, section, table
from tinyprof.report.html.svg import map_svg, strip_svg
from tinyprof.rootfs.elf_names import Names
from tinyprof.tables.directories import Directory, Line, Row, tree
from tinyprof.tables.rows import FileRow, names_text, page_text
from tinyprof.text import counted, shown

MAPS_MAX = 300
"""Files with a whole map. All files stand in the table, with their strips."""

HOVER_CHARACTERS_MAX = 1_000_000
"""Characters of all texts that used pages show under the pointer: about 120 a page, 300 with
names."""

LARGE_SHARE = 0.95
"""Share of the used pages in the files that are not small. The script folds the others."""
LARGE_LEAST = 10
"""Files that are never small: those that save most."""

FIGURES = (
    ("pages", True),
    ("used", True),
    ("hot", False),
    ("warm", True),
    ("once", True),
    ("hot share", True),
    ("RAM now, KiB", True),
    ("flash cost, KiB", False),
    ("saves, KiB", False),
)
"""Heads of the figures, and whether a phone does without them."""


def count_of_large(rows: Sequence[FileRow]) -> int:
    """Number of rows, from the first, that are not small."""
    whole = sum(row.used for row in rows)
    enough = sum(used < LARGE_SHARE * whole for used in accumulate(row.used for row in rows)) + 1
    return max(LARGE_LEAST, enough)


def file_table(rows: Sequence[FileRow]) -> Iterator[str]:
    """The table, the files that save most first."""
    columns = [
        '<th scope="col" data-sort>path</th><th scope="col" class="left">heat</th>',
        *(f'<th scope="col" data-sort{_wide(wide)}>{head}</th>' for head, wide in FIGURES),
    ]
    parts = table("files", columns, _table_rows(rows), "files")
    yield from section("files", "Files", parts)


def _wide(wide: bool) -> str:
    return ' class="wide"' if wide else ""


def _table_rows(rows: Sequence[FileRow]) -> Iterator[str]:
    large = count_of_large(rows)
    for number, row in enumerate(rows):
        small = ' class="minor"' if number >= large else ""
        figures: list[tuple[float, str]] = [
            (count, f"{count:,}") for count in (row.pages, row.used, row.hot, row.warm, row.once)
        ]
        figures.append((round(row.hot_share, 4), f"{100 * row.hot_share:.0f} %"))
        sizes = ((row.ram, ""), (row.cost, "" if row.exact else "≤ "), (row.saves, ""))
        figures += [(size, f"{bound}{size / 1024:,.0f}") for size, bound in sizes]
        cells = "".join(
            f'<td{_wide(wide)} data-v="{value:g}">{text}</td>'
            if isinstance(value, float)
            else f'<td{_wide(wide)} data-v="{value}">{text}</td>'
            for (value, text), (_, wide) in zip(figures, FIGURES, strict=True)
        )
        yield (
            f'<tr data-file="{number}"{small}><td class="path">{safe(row.path)}</td>'
            f'<td class="left">{strip_svg(row)}</td>{cells}</tr>'
        )


def file_tree(rows: Sequence[FileRow]) -> Iterator[str]:
    """The tree by directory, which opens and closes without a script."""
    if len({row.path.rpartition("/")[0] for row in rows}) > 1:
        parts = _tree_parts(tree(rows, ()))
        yield from section("tree", "By directory", parts)


def _tree_parts(lines: Sequence[Line]) -> Iterator[str]:
    yield '<ul class="tree">'
    depth = 0
    for line in lines:
        while depth > line.depth:
            yield "</ul></details></li>"
            depth -= 1
        text = f'<span class="mono">{safe(line.name)}</span> <span class="dim">{_sums(line.row)}'
        if isinstance(line.row, Directory):
            opened = " open" if line.depth == 0 else ""
            yield f"<li><details{opened}><summary>{text}</span></summary><ul>"
            depth += 1
        else:
            yield f"<li>{text}</span></li>"
    yield "</ul></details></li>" * depth + "</ul>"


def _sums(row: Row) -> str:
    bound = "" if row.exact else "≤ "
    saves = f", saves {row.saves / 1024:,.0f} KiB for {bound}{row.cost / 1024:,.0f} KiB flash"
    return f"{row.used:,} of {counted(row.pages, 'page')}, {row.hot:,} hot" + (
        saves if row.saves else ""
    )


def file_maps(rows: Sequence[FileRow]) -> Iterator[str]:
    """The heat maps of the first files."""
    note = "A cell is a page of 4 KiB, 64 in a line: 256 KiB."
    yield from section("maps", "Heat map", _map_parts(rows), note)


def _map_parts(rows: Sequence[FileRow]) -> Iterator[str]:
    large = count_of_large(rows)
    for number, row in enumerate(rows[:MAPS_MAX]):
        small = " minor" if number >= large else ""
        yield (
            f'<figure class="map{small}" data-file="{number}"><figcaption class="mono">'
            f'{safe(row.path)} <span class="dim">{row.used} of {counted(row.pages, "page")}'
            f"</span></figcaption>{map_svg(row)}</figure>"
        )
    if len(rows) > MAPS_MAX:
        more = counted(len(rows) - MAPS_MAX, "more file")
        yield f'<p class="dim">and {more}, in the table above.</p>'


def page_texts(rows: Sequence[FileRow], names: Sequence[Names]) -> dict[int, dict[int, str]]:
    """The texts of used pages under the pointer, by file and page."""
    left = HOVER_CHARACTERS_MAX
    said: dict[int, dict[int, str]] = {}
    for number, row in enumerate(rows[:MAPS_MAX]):
        said[number] = {}
        # The row's own names stand in page_text() already.
        named = names[number] if names[number] is not row.names else None
        for page in sorted(row.use.pages):
            if left <= 0:
                break
            text = page_text(row, page) + (f"; {names_text(named, page)}" if named else "")
            said[number][page] = shown(text)
            left -= len(said[number][page])
    return said
