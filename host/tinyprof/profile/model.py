# SPDX-License-Identifier: MIT
"""The profile: the boots that were recorded, and the used pages of each file.

A file is known by its content, not by its path or image. No I/O here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tinyprof.errors import TinyprofError
from tinyprof.heat.losses import Losses
from tinyprof.pages import Kind
from tinyprof.profile.mappings import MappingUse
from tinyprof.wire.source import TouchSource

KIND_LETTERS = {Kind.EXEC: "x", Kind.READ: "r", Kind.WRITE: "w", Kind.FILE: "f"}
EITHER, AS_ANYTHING = "xr", "*"
"""Keys beside the four letters: "seen as x or r", and "seen as any kind"."""

WEIGHT_MAX = 1000
"""A boot counts at most this many times."""

COUNT_LIMIT = 1 << 53
"""Counts are below this number, so that every JSON reader keeps them exactly."""

LOSSES = (
    "frames",
    "corrupt",
    "records",
    "untraced",
    "write_errors",
    "beyond_limits",
    "lost_events",
)
"""The fields of a boot's losses, in the order of heat.losses.Losses."""


class ProfileError(TinyprofError):
    """A profile that cannot be read, or captures that cannot become a profile."""


@dataclass(frozen=True, slots=True)
class Seen:
    """When a page was seen as one kind, over all boots.

    - `epochs`: number of epochs that saw it, times the weights of their boots.
    - `steady`: number of these in the steady state, weighted in the same way.
    - `first`, `last`: the lowest and the highest number of an epoch that saw it in any boot; a
      boot starts with epoch 1.
    - `stretches`: number of stretches of consecutive epochs that saw it.
    - `longest`: epochs of the longest stretch.
    - `boots`: number of boots that saw it.
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
        """Two sightings that may be of the same epochs as one: the larger counts."""
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
    """One used page: its hash, and when it was seen, by kind.

    `hash` is empty where the image's index had none. The keys of `seen` are

    1. "x", "r", "w" and "f" for each kind that the page was seen as;
    2. "xr" for exec or read, where it was seen as both;
    3. "*" for any kind, where it was seen as several and "xr" does not cover them.
    """

    hash: str
    seen: Mapping[str, Seen]

    @property
    def kinds(self) -> str:
        """The letters of "xrwf" for the kinds that the page was seen as."""
        return "".join(letter for letter in KIND_LETTERS.values() if letter in self.seen)

    @property
    def any(self) -> Seen:
        """When the page was seen as any kind."""
        if AS_ANYTHING in self.seen:
            return self.seen[AS_ANYTHING]
        return self.seen[EITHER] if EITHER in self.seen else next(iter(self.seen.values()))

    @property
    def mapped(self) -> Seen | None:
        """When the page was touched through a mapping: as exec or read."""
        for key in (EITHER, "x", "r"):
            if key in self.seen:
                return self.seen[key]
        return None

    @property
    def cached(self) -> Seen | None:
        """When the page was used by read() or for a private copy.

        These take page cache wherever the page is stored.
        """
        write, file = self.seen.get("w"), self.seen.get("f")
        return write.either(file) if write and file else write or file


@dataclass(frozen=True, slots=True)
class NamedRange:
    """A function, object or section of a file: its name, its first byte in the file, and its size
    in bytes."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class FileUse:
    """The used pages of one file.

    - `path`: the first of its paths, in the order of characters.
    - `size`: bytes. Size and SHA-256 are the content, by which a file is found again.
    - `images`: fsids of the images that are known to hold it, sorted.
    - `symbols`: the symbols near used pages, where someone looked them up.
    - `processes`: the largest number of processes seen to map it at once, in any boot; None where
      no target counted them.
    - `extra`: fields that a later version wrote.
    - `mappings`: its mappings, sorted, where a source saw whole mappings.
    """

    path: str
    size: int
    sha256: str
    pages: Mapping[int, PageUse]
    images: tuple[str, ...]
    symbols: tuple[NamedRange, ...] = ()
    processes: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    mappings: tuple[MappingUse, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkUse:
    """A symbolic link that was followed: its path, the text of its target, the fsids of the images
    that are known to hold it, and when it was followed."""

    path: str
    target: str
    images: tuple[str, ...]
    seen: Seen


@dataclass(frozen=True, slots=True)
class PhaseFacts:
    """A phase of a boot: the mark that began it, its first epoch, the number of its epochs, and
    the number of pages that it was the first to use."""

    name: str
    first: int
    epochs: int
    fresh: int
    steady: bool


@dataclass(frozen=True, slots=True)
class BootFacts:
    """One recorded boot of a target.

    - `weight`: the number of times that it counts.
    - `source`: what saw the touches; None: the kernel's own part, exactly.
    - `in_place`: number of pages that its image stores in place. A source other than the kernel's
      part does not see those that the kernel maps from there.
    """

    fsid: str
    kernel: str
    epochs: int
    losses: Losses
    phases: tuple[PhaseFacts, ...] = ()
    weight: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)
    source: TouchSource | None = None
    in_place: int = 0

    @property
    def steady(self) -> int:
        """Number of epochs in its steady state."""
        return sum(phase.epochs for phase in self.phases if phase.steady)


@dataclass(frozen=True)
class Profile:
    """Boots and files.

    - `unknown_pages`: number of page ids that no file of the boot's image has.
    - `extra`: fields that a later version wrote.
    - `links`: the symbolic links that were followed; None where no target told them.
    """

    boots: tuple[BootFacts, ...]
    unknown_pages: int
    files: tuple[FileUse, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[LinkUse, ...] | None = None

    @property
    def epochs(self) -> int:
        """Number of epochs of all boots, times their weights."""
        return sum(boot.epochs * boot.weight for boot in self.boots)

    def epochs_of(self, file: FileUse) -> int:
        """Number of epochs, times their weights, of the boots whose image holds this file."""
        return self._total(file.images, 0)

    def steady_of(self, file: FileUse) -> int:
        """Number of epochs in the steady state of these boots, times their weights."""
        return self.steady_in(file.images)

    def steady_in(self, images: Iterable[str]) -> int:
        """Number of epochs in the steady state of the boots of these images, times their
        weights."""
        return self._total(images, 1)

    def _total(self, images: Iterable[str], which: int) -> int:
        return sum(self._by_image[fsid][which] for fsid in set(images) & self._by_image.keys())

    @cached_property
    def _by_image(self) -> Mapping[str, tuple[int, int]]:
        """Number of epochs and of steady epochs of each image's boots, times their weights.

        Adding boots up again for every file would take boots times files.
        """
        found: dict[str, tuple[int, int]] = {}
        for boot in self.boots:
            epochs, steady = found.get(boot.fsid, (0, 0))
            found[boot.fsid] = (
                epochs + boot.epochs * boot.weight,
                steady + boot.steady * boot.weight,
            )
        return found
