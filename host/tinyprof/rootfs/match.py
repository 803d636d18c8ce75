# SPDX-License-Identifier: MIT
"""Finds the pages of a profile in a tree whose files may have changed: both in, used pages by path
out.

A file is found

1. by its content, wherever it lies;
2. else by its path;
3. else by the only path that differs in its digits alone.

The used pages of a changed file are found

1. at their place, if the page there has the same hash;
2. else at the nearest page with the same hash;
3. else by the functions, objects and landmarks that lie on them.

The pages found in each way, and the pages not found, are counted.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinyprof.cramfs.tree import Node, Tree
from tinyprof.pages import PAGE_SIZE
from tinyprof.profile.model import BootFacts, FileUse, NamedRange, PageUse, Profile
from tinyprof.rootfs.followed import followed_links
from tinyprof.rootfs.indexing import page_hashes
from tinyprof.rootfs.landmarks import find_landmarks, read_symbols
from tinyprof.segments.split import EHDR_SIZE, looks_split, original_of

GROWTH_MAX = 1.15
"""Times the number of used pages before. Symbols find no more pages than this in a file: the bytes
of one page may lie on two now."""

OWN_NAMES = ("tinyprof-agent",)
"""File names of the profiler's own files. An image to ship is without them."""

FAR = 1 << 16
"""Bytes. A place this far behind the nearest symbol is not found by symbols."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Number of used pages, by the way in which they were found in the tree.

    `same` are pages of files that have not changed.
    """

    same: int = 0
    by_place: int = 0
    by_content: int = 0
    by_symbol: int = 0
    unmatched: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.same + other.same,
            self.by_place + other.by_place,
            self.by_content + other.by_content,
            self.by_symbol + other.by_symbol,
            self.unmatched + other.unmatched,
        )

    @property
    def stale(self) -> float:
        """The share of the used pages that was not found."""
        total = self.same + self.by_place + self.by_content + self.by_symbol + self.unmatched
        return self.unmatched / total if total else 0.0


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of the tree and its used pages.

    `steady` as Profile.steady_of(); `processes` as in FileUse.
    """

    node: Node
    uses: Mapping[int, PageUse]
    steady: int
    counts: Counts
    processes: int | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """The profiled files of a tree.

    `missing`: the number of used pages of each profiled path that the tree does not have. The
    profiler's own files (OWN_NAMES) are never missed.
    `links`: the symbolic links that are followed, each with its share of the steady state.
    `boots`: those of the profile.
    """

    files: tuple[FoundFile, ...]
    missing: Mapping[str, int]
    links: Mapping[str, float] = field(default_factory=dict)
    boots: tuple[BootFacts, ...] = ()

    @property
    def counts(self) -> Counts:
        return sum(
            (file.counts for file in self.files), Counts(unmatched=sum(self.missing.values()))
        )

    @property
    def processes(self) -> dict[str, int]:
        """The number of processes that map a file at once, by path, where it is known."""
        return {
            file.node.path: file.processes for file in self.files if file.processes is not None
        }

    def with_processes(self, processes: int) -> Match:
        """The same files, as if `processes` processes mapped each of them."""
        return replace(
            self, files=tuple(replace(file, processes=processes) for file in self.files)
        )

    @property
    def stale(self) -> tuple[str, ...]:
        """The paths with used pages that were not found, sorted."""
        return tuple(
            sorted(
                {*self.missing, *(file.node.path for file in self.files if file.counts.unmatched)}
            )
        )

    @property
    def is_of_another_tree(self) -> bool:
        """Whether none of several profiled files is there. Then another tree was meant."""
        return len(self.missing) > 1 and not self.files

    @property
    def changed(self) -> tuple[FoundFile, ...]:
        """The files whose content has changed since the profile."""
        return tuple(file for file in self.files if not file.counts.same)


def match(profile: Profile, tree: Tree) -> Match:
    """Find a profile's files and pages in a tree. Raises TreeError for a file that cannot be
    read."""
    nodes = [_as_built(node) for node in tree.files()]
    same = _same_contents(profile, nodes)
    found = {
        node.path: FoundFile(
            node, file.pages, profile.steady_of(file), Counts(same=len(file.pages)), file.processes
        )
        for file in profile.files
        if (node := same.get((file.sha256, file.size)))
    }
    fresh = {file.path for file in profile.files if (file.sha256, file.size) in same}
    by_name = _Names(nodes)
    missing: dict[str, int] = {}
    for file in profile.files:
        # A merged profile may hold several contents of one path. The present one counts.
        if file.path in fresh or file.path in missing:
            continue
        node = by_name.find(file.path)
        if node is not None:
            if node.path not in found:
                found[node.path] = _carried(file, node, profile.steady_of(file))
        elif not is_own(file.path):
            missing[file.path] = len(file.pages)
    files = tuple(found[path] for path in sorted(found))
    used = ((file.node.path, file.uses, file.steady) for file in files)
    return Match(files, missing, followed_links(profile, tree, used), profile.boots)


def is_own(path: str) -> bool:
    """Whether a path is that of a file of the profiler itself."""
    return path.rpartition("/")[2] in OWN_NAMES


def _as_built(node: Node) -> Node:
    """The file, or its original where its segments are split: profiles speak of originals."""
    if not looks_split(node.head(EHDR_SIZE)):
        return node
    data = original_of(node.content())
    return replace(node, source=None, link=data, size=len(data), stamp=None)


def _same_contents(profile: Profile, nodes: Iterable[Node]) -> dict[tuple[str, int], Node]:
    """A file for each profiled content that the tree holds.

    One file is enough, as equal files share their blocks in an image.
    """
    wanted = {(file.sha256, file.size) for file in profile.files}
    sizes = {size for _, size in wanted}
    contents: dict[tuple[str, int], Node] = {}
    for node in nodes:
        if node.size in sizes:
            contents.setdefault((hashlib.sha256(node.content()).hexdigest(), node.size), node)
    return {content: contents[content] for content in wanted & contents.keys()}


class _Names:
    """Finds a file by its path, else by the only path that differs in its digits alone."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = {node.path: node for node in nodes}
        self._alike: dict[str, list[Node]] = defaultdict(list)
        for node in self._nodes.values():
            self._alike[without_digits(node.path)].append(node)

    def find(self, path: str) -> Node | None:
        alike = self._alike[without_digits(path)]
        return self._nodes.get(path) or (alike[0] if len(alike) == 1 else None)


def without_digits(path: str) -> str:
    """A path with 0 for each number in it. The paths of a file's versions differ in digits."""
    return re.sub(r"[0-9]+", "0", path)


def _carried(file: FileUse, node: Node, steady: int) -> FoundFile:
    """The used pages of a file, carried over to its next version."""
    content = node.content()
    hashes = [digest.hex() for digest in page_hashes(content)]
    places: dict[str, list[int]] = defaultdict(list)
    for page, digest in enumerate(hashes):
        places[digest].append(page)
    uses: dict[int, PageUse] = {}
    counts: Counter[str] = Counter()
    left: dict[int, PageUse] = {}
    for page, use in sorted(file.pages.items()):
        if page < len(hashes) and use.hash == hashes[page]:
            uses[page] = use
            counts["by_place"] += 1
        elif use.hash in places:
            uses[_nearest(places[use.hash], page)] = use
            counts["by_content"] += 1
        else:
            left[page] = use
    now = [*read_symbols(content), *find_landmarks(content, file.symbols)] if left else []
    moved, found = _by_symbol(left, file.symbols, now, node)
    uses = {**moved, **uses}
    counts["by_symbol"] = found
    # Another build of the profiler is no reason to record again.
    counts["unmatched"] = 0 if is_own(file.path) else len(left) - found
    return FoundFile(node, uses, steady, Counts(**counts), file.processes)


def _nearest(places: Sequence[int], page: int) -> int:
    """The place nearest to a page; of two as near, the first. The places are sorted."""
    at = bisect_right(places, page)
    return min(places[max(0, at - 1) : at + 1], key=lambda place: abs(place - page))


def _by_symbol(
    left: Mapping[int, PageUse],
    before: Sequence[NamedRange],
    after: Sequence[NamedRange],
    node: Node,
) -> tuple[dict[int, PageUse], int]:
    """The pages of the new file that hold the bytes of used pages of the old one, and the number
    of old pages that were found.

    The pages with the most of these bytes are taken, at most GROWTH_MAX times the number of old
    pages.
    """
    moves = _Moves(before, after, node.size)
    weights: dict[int, Counter[int]] = defaultdict(Counter)
    found = 0
    for page in left:
        pieces = moves.of(page * PAGE_SIZE, (page + 1) * PAGE_SIZE)
        for start, end in pieces:
            for place in range(start // PAGE_SIZE, (end - 1) // PAGE_SIZE + 1):
                overlap = min(end, (place + 1) * PAGE_SIZE) - max(start, place * PAGE_SIZE)
                weights[place][page] += overlap
        found += bool(pieces)
    ranked = sorted(weights, key=lambda place: (-weights[place].total(), place))
    kept = ranked[: round(found * GROWTH_MAX)]
    return {place: left[weights[place].most_common(1)[0][0]] for place in kept}, found


class _Moves:
    """Tells where the bytes of a file have moved, by the symbols that both versions name once."""

    def __init__(
        self, before: Sequence[NamedRange], after: Sequence[NamedRange], size: int
    ) -> None:
        new = _named_once(after)
        pairs = [(old, new[name]) for name, old in _named_once(before).items() if name in new]
        pairs.sort(key=lambda pair: pair[0].offset)
        self._pairs = pairs
        self._starts = [old.offset for old, _ in pairs]
        self._size = size

    def of(self, start: int, end: int) -> list[tuple[int, int]]:
        """The new places of the bytes from `start` up to `end`, as stretches."""
        stretches: list[tuple[int, int]] = []
        at = start
        number = bisect_right(self._starts, start) - 1
        while at < end:
            until = min(end, self._starts[number + 1] if number + 1 < len(self._starts) else end)
            moved = self._moved(number, at, until)
            if moved:
                stretches.append(moved)
            at, number = max(until, at + 1) if until <= at else until, number + 1
        return stretches

    def _moved(self, number: int, at: int, until: int) -> tuple[int, int] | None:
        """The new place of bytes between the starts of two symbols: they move with the first."""
        if not self._pairs or until <= at:
            return None
        old, new = self._pairs[max(number, 0)]
        if abs(at - old.offset) > FAR + old.size:
            return None
        start, end = at - old.offset + new.offset, until - old.offset + new.offset
        start, end = max(0, start), min(self._size, end)
        return (start, end) if start < end else None


def _named_once(symbols: Iterable[NamedRange]) -> dict[str, NamedRange]:
    """The symbols by name, without names that stand twice. A place may have several names."""
    by_name: dict[str, NamedRange | None] = {}
    for symbol in symbols:
        by_name[symbol.name] = None if symbol.name in by_name else symbol
    return {name: symbol for name, symbol in by_name.items() if symbol}
