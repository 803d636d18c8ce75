# SPDX-License-Identifier: MIT
"""Splits the hot programs of a tree for a stock kernel: a tree and the pages wanted in place in,
another tree out.

For each program:

1. Weigh the RAM that its pages save against flash and mappings (runs.py).
2. Split the segments where that is worth it (split.py).
3. Prove that the split file equals its original (proof.py).
4. Leave a program whole where one of these fails. Its best leading runs go in place all the same,
   and the reason is told.

Nothing is written: split files are in memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from tinyprof.cramfs.elf import ELF_MAGIC
from tinyprof.cramfs.format import FILE_MAX
from tinyprof.cramfs.kernel import NO_CODE_FROM_FLASH, maps_no_code
from tinyprof.cramfs.programs import mapped_parts
from tinyprof.cramfs.tree import Node, Tree
from tinyprof.pages import PAGE_SIZE, page_runs
from tinyprof.segments.elf import Elf, Reason, SplitError, read_elf
from tinyprof.segments.proof import prove
from tinyprof.segments.runs import choose_runs
from tinyprof.segments.split import Split, original_of, runs_of, split
from tinyprof.segments.table import place_table

MAPPING_BYTES = 96
"""Bytes of kernel memory that one more mapping costs in each process: a vm_area_struct and its
share of the tree that holds them (6.1 on 32-bit ARM; tests/target/test_split_segments.py measures
it)."""

NEVER = -1e12
"""The worth of a page that must not be in place."""

StoredSize = Callable[[bytes], int]
"""Gives the bytes that a page takes in the image if it is not in place."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in bytes of RAM.

    - `flash`: a byte of flash.
    - `processes`: number of processes that map a file where nobody counted them. A mapping costs
      its kernel memory in each.
    - `start`: the time that a mapping takes at each start of a program, about 0.1 ms on the
      reference board.
    - `table`: a page of program headers that would not be read anyway.
    """

    flash: float = 0.125
    processes: int = 10
    start: float = 2048
    table: float = PAGE_SIZE

    def mapping(self, processes: int | None) -> float:
        """The price of one more mapping of a file that `processes` processes map; None: their
        number is not known."""
        return (self.processes if processes is None else processes) * MAPPING_BYTES + self.start

    def weighing(self, processes: int | None) -> str:
        """The number of processes for which a mapping was weighed, in words."""
        if processes is None:
            return (
                f"a mapping weighed for {self.processes} processes: how many map the file "
                "is not known"
            )
        plural = "process" if processes == 1 else "processes"
        return f"a mapping weighed for {processes} {plural}"


AS_PLANNED = Prices(flash=1e-6, processes=0, start=0, table=0)
"""Prices at which all pages wanted go in place, and no others: a plan has weighed them already."""


@dataclass(frozen=True, slots=True)
class Splitting:
    """The way to split segments: prices, and the runs in place of a file, at most."""

    prices: Prices
    max_runs: int | None = None


@dataclass(frozen=True, slots=True)
class SplitFile:
    """A file that was split.

    - `source_size`, `size`: bytes before and after.
    - `mappings`: loaded segments that it has more than before.
    - `bridged`: cold pages that go in place to save a mapping.
    - `lonely`: hot pages that are not worth a mapping.
    - `processes`: the number of processes for which a mapping was weighed; None where it was not
      known.
    """

    path: str
    source_size: int
    size: int
    mappings: int
    bridged: tuple[int, ...]
    lonely: tuple[int, ...]
    processes: int | None


@dataclass(frozen=True, slots=True)
class SplitTree:
    """The tree with split files and the pages to store in place.

    - `files`: the files that were split.
    - `whole`: the reason for each hot file that was left whole, by path.
    - `again`: the paths among both whose content stands under a path before them, such as hard
      links.
    """

    tree: Tree
    pages: Mapping[str, Collection[int]]
    files: tuple[SplitFile, ...] = ()
    whole: Mapping[str, str] = field(default_factory=dict)
    again: frozenset[str] = frozenset()

    @property
    def split_once(self) -> tuple[SplitFile, ...]:
        """The split files, one for each content."""
        return tuple(file for file in self.files if file.path not in self.again)

    @property
    def whole_once(self) -> tuple[str, ...]:
        """The paths of hot files left whole, one for each content."""
        return tuple(path for path in self.whole if path not in self.again)


@dataclass(frozen=True, slots=True)
class _Result:
    """The result for one content; `data` is None where its bytes stay the same."""

    pages: tuple[int, ...]
    data: bytes | None = None
    mappings: int = 0
    bridged: tuple[int, ...] = ()
    lonely: tuple[int, ...] = ()
    whole: str = ""
    processes: int | None = None


_Content = tuple[int, bytes]
"""The size and the digest of a file."""

Known = dict[tuple[_Content, frozenset[int], str, int | None], _Result]
"""Results by content, pages wanted, signature beside it, and number of processes."""


def split_tree(
    tree: Tree,
    wanted: Mapping[str, Collection[int]],
    stored_size: StoredSize,
    prices: Prices,
    max_runs: int | None = None,
    processes: Mapping[str, int] | None = None,
    known: Known | None = None,
) -> SplitTree:
    """Split the programs that are worth it, with at most `max_runs` runs in place in a file.

    `processes`: the number of processes that map a file at once, by path, where it is known.
    `known` keeps results for further calls with the same prices and `max_runs`. Files that are no
    programs keep their pages. Files of equal content stay equal. Raises TreeError.
    """
    nodes = {node.path: node for node in tree.files()}
    planner = _Planner(stored_size, prices, max_runs)
    known = {} if known is None else known
    contents, results = _results(nodes, wanted, planner, processes or {}, known)
    pages: dict[str, Collection[int]] = dict(wanted)
    changed: dict[str, bytes] = {}
    files: list[SplitFile] = []
    whole: dict[str, str] = {}
    seen: set[int] = set()
    again: set[str] = set()
    for node, result in _with_results(nodes.values(), contents, results):
        if id(result) in seen:
            again.add(node.path)
        seen.add(id(result))
        pages[node.path] = result.pages
        if result.whole:
            whole[node.path] = result.whole
        if result.data is None:
            continue
        changed[node.path] = result.data
        if result.mappings:
            cuts = result.mappings, result.bridged, result.lonely
            files.append(
                SplitFile(node.path, node.size, len(result.data), *cuts, result.processes)
            )
    return SplitTree(
        Tree(_changed(tree.root, changed)), pages, tuple(files), whole, frozenset(again)
    )


def _results(
    nodes: Mapping[str, Node],
    wanted: Mapping[str, Collection[int]],
    planner: _Planner,
    processes: Mapping[str, int],
    known: Known,
) -> tuple[dict[str, _Content], dict[_Content, _Result]]:
    """The contents of the wanted programs by path, and the results by content.

    New results are added to `known`.
    """
    contents: dict[str, _Content] = {}
    results: dict[_Content, _Result] = {}
    for path in sorted(wanted):
        node = nodes.get(path)
        if node and node.head(len(ELF_MAGIC)) == ELF_MAGIC:
            data = node.content()
            signed = _signed_beside(node, nodes)
            key = _content_of(data), frozenset(wanted[path]), signed, processes.get(path)
            if key not in known:
                known[key] = planner.result(data, *key[1:])
            contents[path] = key[0]
            results[key[0]] = known[key]
    return contents, results


def _content_of(data: bytes) -> _Content:
    return len(data), hashlib.sha256(data).digest()


def _with_results(
    nodes: Iterable[Node],
    contents: Mapping[str, _Content],
    results: Mapping[_Content, _Result],
) -> Iterator[tuple[Node, _Result]]:
    """The files whose content has a result, whatever their path. `contents` has those that are
    known already."""
    sizes = {size for size, _ in results}
    for node in nodes:
        if node.size in sizes:
            content = contents.get(node.path) or _content_of(node.content())
            result = results.get(content)
            if result:
                yield node, result


def _changed(node: Node, changed: Mapping[str, bytes]) -> Node:
    """The same tree with other bytes in some files."""
    if node.path in changed:
        data = changed[node.path]
        return replace(node, source=None, link=data, size=len(data), stamp=None)
    if node.children:
        return replace(node, children=tuple(_changed(child, changed) for child in node.children))
    return node


def _signed_beside(node: Node, nodes: Mapping[str, Node]) -> str:
    """The place of a signature or checksum of a file that is kept outside of it; empty if there is
    none."""
    folder, _, name = node.path.rpartition("/")
    beside = f"{folder}/.{name}.hmac"
    if beside in nodes:
        return f"{beside} holds a checksum of it"
    with suppress(OSError):
        if node.source and "security.ima" in os.listxattr(node.source, follow_symlinks=False):
            return "the attribute security.ima holds a signature of it"
    return ""


class _Planner:
    """Decides on one content after another."""

    def __init__(self, stored_size: StoredSize, prices: Prices, max_runs: int | None) -> None:
        self._stored_size = stored_size
        self._prices = prices
        self._max_runs = max_runs

    def result(
        self, data: bytes, hot: frozenset[int], signed: str, processes: int | None
    ) -> _Result:
        source = original_of(data)
        try:
            if signed:
                raise SplitError(Reason.SIGNED, signed)
            if maps_no_code("mainline", source):
                raise SplitError(Reason.ARCHITECTURE, NO_CODE_FROM_FLASH)
            elf = read_elf(source)
            pages, cuts = self._choice(source, hot, self._cut_prices(elf, hot, processes))
            done = split(source, runs_of(pages)) if cuts else Split(source, (), 0, None)
            _refuse_unproved(source, done)
        except SplitError as error:
            pages, _ = self._choice(data, hot, [0.0])
            return _Result((*pages, *_elsewhere(data, hot)), whole=error.message)
        chosen = {*pages, *done.leading}
        return _Result(
            (*sorted(chosen), *_elsewhere(source, hot)),
            None if done.elf == data else done.elf,
            done.mappings,
            tuple(sorted(chosen - hot)),
            tuple(sorted(_mapped(source) & hot - chosen)),
            processes=processes,
        )

    def _choice(
        self, data: bytes, hot: frozenset[int], prices: Sequence[float]
    ) -> tuple[tuple[int, ...], int]:
        """The pages of the best choice, and its cuts."""
        segments = _segments(data)
        worths: list[list[float]] = []
        following: set[int] = set()
        for segment in reversed(segments):
            # A page of two segments is worth in place what it is, not twice.
            worths.insert(
                0, [0.0 if page in following else self._worth(data, page, hot) for page in segment]
            )
            following.update(segment)
        choice = choose_runs(worths, prices)
        chosen = {
            segment[index]
            for segment, indices in zip(segments, choice.pages, strict=True)
            for index in indices
        }
        return tuple(sorted(chosen)), choice.cuts

    def _worth(self, data: bytes, page: int, hot: frozenset[int]) -> float:
        content = data[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
        if len(data) == (page + 1) * PAGE_SIZE:
            # cramfs_read_folio() of a stock kernel reads such a page as zeros.
            return NEVER
        price = self._prices.flash * (PAGE_SIZE - min(self._stored_size(content), PAGE_SIZE))
        return (PAGE_SIZE if page in hot else 0) - price

    def _cut_prices(self, elf: Elf, hot: frozenset[int], processes: int | None) -> list[float]:
        """The price of each number of cuts, up to the last that is of use and possible.

        Each cut begins a run, so there are no more cuts than runs of hot pages. Raises SplitError
        where cuts are of use and not even one is possible.
        """
        prices = [0.0]
        runs = sum(len(page_runs(hot.intersection(load.pages))) for load in elf.loads)
        most = runs if self._max_runs is None else min(runs, self._max_runs - 1)
        while len(prices) <= most:
            cuts = len(prices)
            try:
                place = place_table(elf, len(elf.segments) + cuts)
            except SplitError:
                if cuts == 1:
                    raise
                break
            mappings = cuts + (place.segment is None)
            table = 0 if place.cached_anyway else self._prices.table
            prices.append(mappings * self._prices.mapping(processes) + table)
        return prices


def _segments(data: bytes) -> list[range]:
    """The pages of each part of a program that a loader maps read-only."""
    parts = mapped_parts(data, len(data)) or ()
    return [part.pages for part in parts if not part.writable]


def _mapped(data: bytes) -> set[int]:
    return {page for segment in _segments(data) for page in segment}


def _elsewhere(data: bytes, hot: frozenset[int]) -> list[int]:
    """Hot pages that no read-only mapping shows. The image's writer tells why each is refused."""
    return sorted(hot - _mapped(data))


def _refuse_unproved(source: bytes, done: Split) -> None:
    """Leave a file whole whose split file is not proved equal, or is larger than CramFS holds."""
    if len(done.elf) > FILE_MAX:
        raise SplitError(
            Reason.NO_PLACE, f"it would have {len(done.elf)} bytes, cramfs holds {FILE_MAX}"
        )
    if done.table and (differences := prove(source, done.elf).differences):
        raise SplitError(Reason.UNPROVED, differences[0], "please report this")
