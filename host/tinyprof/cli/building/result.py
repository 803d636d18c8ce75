# SPDX-License-Identifier: MIT
"""The account of a build: the files that go in, the pages in place, and the pages left out."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyprof.cli.building.compressing import compressor_fields
from tinyprof.cli.building.gain import Gain
from tinyprof.cramfs.kernel import KERNEL_WORDS, KernelModel
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.compressor import default_compressor
from tinyprof.cramfs.writing.explain import explain
from tinyprof.cramfs.writing.writer import WriteOptions, Written
from tinyprof.pages import PAGE_SIZE, page_ranges
from tinyprof.segments.split_tree import AS_PLANNED, SplitFile, Splitting, SplitTree
from tinyprof.tables.columns import kib, pages_kib, percent, share, wrapped
from tinyprof.text import counted, shown

if TYPE_CHECKING:
    from tinyprof.rootfs.match import Match

LISTED_MAX = 20
"""Complaints that are shown."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The tree to build, split or not, with the pages to store in place.

    - `stale`: the profiled files that the tree has not, or not the same.
    - `another_tree`: the sentence that stands for all of these where the profile is of another
      tree; else empty.
    - `stale_allowed`: the user allowed as large a stale share.
    - `chooser`: the words for the chooser of the pages; empty where nothing chose any.
    - `chosen_for`: the kernel that a plan was made for; None where no plan tells.
    - `found`: the profile's pages in the tree; None without a profile.
    """

    made: SplitTree
    stale: tuple[str, ...] = ()
    another_tree: str = ""
    stale_allowed: bool = False
    chooser: str = ""
    chosen_for: KernelModel | None = None
    found: Match | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build: the pages wanted, the image, its cost and gain, and how it was written."""

    wanted: Wanted
    written: Written
    splitting: Splitting | None
    gain: Gain
    how: WriteOptions

    @property
    def made(self) -> SplitTree:
        """The tree that went in."""
        return self.wanted.made

    def complaints(self) -> list[str]:
        """The files and pages that a profile or plan names and that the tree has not."""
        complaints = [
            f"{shown(path)}: missing or changed since the profile; used pages of it are compressed"
            for path in self.wanted.stale
        ]
        if self.wanted.another_tree:
            complaints = [self.wanted.another_tree]
        missing: dict[tuple[str, str], list[int]] = {}
        for refusal in self.written.refused:
            if refusal.missing:
                missing.setdefault((refusal.path, refusal.reason), []).append(refusal.page)
        for (path, reason), pages in missing.items():
            complaints.append(f"{shown(path)}: page {page_ranges(pages)}: {reason}")
        chosen_for = self.wanted.chosen_for
        if chosen_for and chosen_for != self.gain.kernel:
            complaints.append(
                f"the plan is for {KERNEL_WORDS[chosen_for]}, and this image is for "
                f"{KERNEL_WORDS[self.gain.kernel]}: build with --kernel {chosen_for}, as planned"
            )
        return complaints

    @property
    def needs_a_look(self) -> bool:
        """Whether there are complaints other than a stale share that the user allowed."""
        allowed = self.wanted.stale if self.wanted.stale_allowed else ()
        return len(self.complaints()) > len(allowed)

    def fields(self, image: Path, explained: bool) -> dict[str, object]:
        """The account as an object for JSON."""
        fields: dict[str, object] = {
            "image": str(image),
            "size": len(self.written.image),
            "pages_in_place": self.written.xip_pages,
            "bytes_in_place": self.written.xip_pages * PAGE_SIZE,
            "share_in_place": share(self.written.xip_pages * PAGE_SIZE, len(self.written.image)),
            "refused": [asdict(refusal) for refusal in self.written.refused],
            "stale": list(self.wanted.stale),
            **self.gain.fields(),
            "compressor": compressor_fields(
                self.how.compressor or default_compressor(), self.how.level, self.how.zopfli
            ),
        }
        if explained:
            fields["files"] = [
                {
                    "path": file.path,
                    "pages": file.pages,
                    "in_place": file.in_place,
                    "refused": {reason: list(pages) for reason, pages in file.refused},
                    "unplanned": file.unplanned,
                }
                for file in explain(self.made.tree, self.written)
            ]
        if self.made.files or self.made.whole:
            fields["files_split"] = len(self.made.split_once)
            fields["mappings_added"] = sum(file.mappings for file in self.made.split_once)
            fields["files_left_whole"] = len(self.made.whole_once)
            fields["split"] = [asdict(file) for file in self.made.files]
            fields["left_whole"] = dict(self.made.whole)
        return fields

    def explanation(self) -> Iterator[str]:
        """The lines that say for each file which pages are in place, and why not more."""
        tree = self.made.tree
        explained = explain(tree, self.written)
        split = {file.path: file for file in self.made.files}
        for file in explained:
            here = f": {page_ranges(file.in_place)}" if file.in_place else ""
            count = len(file.in_place)
            yield from wrapped(
                f"{file.path}: {count} of {file.pages} pages in place{here}", "", "      "
            )
            for reason, refused in file.refused:
                yield from _detail(f"{page_ranges(refused)}: {reason}")
            if file.unplanned:
                yield from _detail(f"{_others(file.unplanned)} {self._unchosen()}")
            for detail in self._split(split.get(file.path), self.made.whole.get(file.path)):
                yield from _detail(detail)
        paths = {file.path for file in explained}
        others = [node for node in tree.files() if node.path not in paths]
        pages = sum(node.pages for node in others)
        files = f"{len(others)} other {'file' if len(others) == 1 else 'files'}"
        verb = "is" if len(others) == 1 else "are"
        yield f"{files} of {counted(pages, 'page')} {verb} {self._unchosen()}"

    def _unchosen(self) -> str:
        """The words for pages that nobody wants in place."""
        chooser = self.wanted.chooser
        if not chooser:
            return "compressed"
        return "not in the plan" if chooser == "the plan" else f"not chosen by {chooser}"

    def _split(self, file: SplitFile | None, whole: str | None) -> Iterator[str]:
        if whole:
            yield f"left whole: {whole}"
        if not file or not self.splitting:
            return
        longer = file.size - file.source_size
        grown = f", {counted(longer, 'byte')} longer" if longer > 0 else ""
        yield f"split: {counted(file.mappings, 'mapping')} more{grown}"
        if self.splitting.prices != AS_PLANNED:
            yield self.splitting.prices.weighing(file.processes)
        if file.bridged:
            yield f"{page_ranges(file.bridged)}: cold, in place to save mappings"
        if file.lonely:
            yield f"{page_ranges(file.lonely)}: hot, not worth a mapping"

    def result(self, image: Path) -> Iterator[str]:
        """The lines that end a build."""
        name = "standard output" if str(image) == "-" else shown(str(image))
        refused = sum(not refusal.missing for refusal in self.written.refused)
        verb = "is" if refused == 1 else "are"
        pages = counted(refused, "page")
        chosen = f"{pages} of {self.wanted.chooser}"
        left = f"; {chosen} {verb} not, --explain says why" if refused else ""
        size, placed = len(self.written.image), self.written.xip_pages
        figures = f"{pages_kib(placed)} KiB, {percent(placed * PAGE_SIZE, size, 1)}"
        in_place = f"{counted(placed, 'page')} in place" + (f" ({figures})" if placed else "")
        yield f"{name}: {kib(size)} KiB, {in_place}{left}"
        for line in self.gain.lines(len(self.written.image)):
            yield f"{name}: {line}"
        if self.made.files or self.made.whole:
            split = self.made.split_once
            mappings = sum(file.mappings for file in split)
            whole = len(self.made.whole_once)
            hot = counted(whole, "hot file")
            left = f"; {hot} left whole, --explain says why" if whole else ""
            files, more = counted(len(split), "file"), counted(mappings, "mapping")
            yield f"{name}: {files} split, {more} more{left}"


def _detail(text: str) -> Iterator[str]:
    return wrapped(text, "    ", "      ")


def _others(count: int) -> str:
    return "1 other is" if count == 1 else f"{count} others are"


def show_complaints(complaints: list[str]) -> None:
    """List complaints on stderr, the first LISTED_MAX of them."""
    for complaint in complaints[:LISTED_MAX]:
        click.echo(f"tinyprof: {complaint}", err=True)
    if len(complaints) > LISTED_MAX:
        click.echo(
            f"tinyprof: and {len(complaints) - LISTED_MAX} more; --json lists them all", err=True
        )


def show_nodes(tree: Tree) -> None:
    """List on stderr everything that goes in."""
    for node in tree.walk():
        owner = f"{node.uid:5}:{node.gid:<3}"
        device = f"{node.device >> 8:4},{node.device & 255:4}" if node.device else f"{node.size:9}"
        click.echo(f"{stat.filemode(node.mode)} {device} {owner} {shown(node.path)}", err=True)


def show_attributes(tree: Tree, verbose: bool) -> None:
    """Say on stderr which extended attributes the image is without."""
    if not tree.attributes:
        return
    counts = Counter(name for names in tree.attributes.values() for name in names)
    listed = ", ".join(f"{shown(name)} ({count})" for name, count in sorted(counts.items()))
    left = "" if verbose else "; -v lists them"
    files = counted(len(tree.attributes), "file")
    click.echo(
        f"tinyprof: cramfs has no place for extended attributes: {files} without: {listed}{left}",
        err=True,
    )
    if verbose:
        for path, names in tree.attributes.items():
            click.echo(f"tinyprof: {shown(path)}: without {shown(', '.join(names))}", err=True)
