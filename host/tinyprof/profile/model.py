# SPDX-License-Identifier: MIT
"""The profile: the used pages of each file, and how several profiles become one.

A file is its content: what has the same bytes merges, whatever its image and path. All counts add
up, so the same profiles give the same one in whatever order they come. `resolve` makes them of
captures, `tprof` writes them down. No I/O here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tinyprof.errors import TinyprofError
from tinyprof.heat.losses import Losses
from tinyprof.pages import Kind

KIND_LETTERS = {Kind.EXEC: "x", Kind.READ: "r", Kind.WRITE: "w", Kind.FILE: "f"}
EITHER, AS_ANYTHING = "xr", "*"
"""Beside the four letters: as exec or read where it was both, and as anything where it was
more."""

WEIGHT_MAX = 1000

LOSSES = ("frames", "corrupt", "records", "untraced", "write_errors", "beyond_limits")


class ProfileError(TinyprofError):
    """A profile that cannot be read, or captures of which none can be made."""


@dataclass(frozen=True, slots=True)
class Seen:
    """When a page was seen in one way, over all boots.

    `epochs`: in how many epochs, `steady`: how many of them in the steady state, both times the
    runs' weights. `first` and `last` are numbers of epochs in any boot; 1 is the start of the
    boot. `stretches`: of epochs that follow each other; `longest`: the longest stretch, in epochs.
    `boots`: how many boots saw it.
    """

    epochs: int
    steady: int
    first: int
    last: int
    stretches: int
    longest: int
    boots: int

    def __add__(self, other: Seen) -> Seen:
        return Seen(
            self.epochs + other.epochs,
            self.steady + other.steady,
            min(self.first, other.first),
            max(self.last, other.last),
            self.stretches + other.stretches,
            max(self.longest, other.longest),
            self.boots + other.boots,
        )

    def either(self, other: Seen) -> Seen:
        """Of two that may be of the same epochs: the larger counts are safe."""
        return Seen(
            max(self.epochs, other.epochs),
            max(self.steady, other.steady),
            min(self.first, other.first),
            max(self.last, other.last),
            max(self.stretches, other.stretches),
            max(self.longest, other.longest),
            max(self.boots, other.boots),
        )


@dataclass(frozen=True, slots=True)
class PageUse:
    """One page: its hash (empty where the index had none), and when it was seen by kind.

    `seen` has "x", "r", "w" and "f" for the kinds that were, "xr" for exec or read where it was
    seen as both, and "*" for as anything where none of these says it.
    """

    hash: str
    seen: Mapping[str, Seen]

    @property
    def kinds(self) -> str:
        """The kinds it was seen as, of "xrwf"."""
        return "".join(letter for letter in KIND_LETTERS.values() if letter in self.seen)

    @property
    def any(self) -> Seen:
        """When it was seen at all."""
        if AS_ANYTHING in self.seen:
            return self.seen[AS_ANYTHING]
        return self.seen[EITHER] if EITHER in self.seen else next(iter(self.seen.values()))

    @property
    def mapped(self) -> Seen | None:
        """When it was executed or read through a mapping."""
        for key in (EITHER, "x", "r"):
            if key in self.seen:
                return self.seen[key]
        return None

    @property
    def cached(self) -> Seen | None:
        """When it was used in ways that take page cache wherever it is stored: read() or a private
        copy."""
        write, file = self.seen.get("w"), self.seen.get("f")
        return write.either(file) if write and file else write or file


@dataclass(frozen=True, slots=True)
class NamedRange:
    """A function or object of a file: its name, its first byte in the file, and its size in
    bytes."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class FileUse:
    """The used pages of one file, which is known again by its content; `size` in bytes.

    `images`: the fsids of those that are known to hold it, sorted. `symbols` are those near used
    pages, where someone looked them up. `processes`: the most that were seen to map it at once in
    any boot; None where no target counted them. `extra` is what a later version wrote.
    """

    path: str
    size: int
    sha256: str
    pages: Mapping[int, PageUse]
    images: tuple[str, ...]
    symbols: tuple[NamedRange, ...] = ()
    processes: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PhaseFacts:
    """A phase of a boot: the mark that began it, its first epoch, its epochs, and the pages new in
    it."""

    name: str
    first: int
    epochs: int
    fresh: int
    steady: bool


@dataclass(frozen=True, slots=True)
class BootFacts:
    """One boot of a target that the profile is made of. `weight`: how many times it counts."""

    fsid: str
    kernel: str
    epochs: int
    losses: Losses
    phases: tuple[PhaseFacts, ...] = ()
    weight: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steady(self) -> int:
        """The epochs of its steady state."""
        return sum(phase.epochs for phase in self.phases if phase.steady)


@dataclass(frozen=True, slots=True)
class Profile:
    """`unknown_pages` are page ids that no file of the run's image has."""

    boots: tuple[BootFacts, ...]
    unknown_pages: int
    files: tuple[FileUse, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """The epochs of all boots, times their weights."""
        return sum(boot.epochs * boot.weight for boot in self.boots)

    def epochs_of(self, file: FileUse) -> int:
        """The epochs, times their weights, of the boots of images that hold this file."""
        return sum(boot.epochs * boot.weight for boot in self.boots if boot.fsid in file.images)

    def steady_of(self, file: FileUse) -> int:
        """The epochs of the steady state of those boots, times their weights."""
        return sum(boot.steady * boot.weight for boot in self.boots if boot.fsid in file.images)
