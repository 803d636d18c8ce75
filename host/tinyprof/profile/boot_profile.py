# SPDX-License-Identifier: MIT
"""Makes a profile of one boot: its counts and the index of what it ran in, the used pages of each
file out.

A page id has a meaning only together with that index. This module also decides which phases of a
boot are its steady state, and that a source that sees no page twice has one epoch.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import takewhile

from tinyprof.capture.index import ImageIndex
from tinyprof.heat.boots import Boot
from tinyprof.heat.holders import Held
from tinyprof.heat.page_heat import ANY, MAPPED, Sightings, keys_of
from tinyprof.heat.volume_heat import Phase, VolumeHeat
from tinyprof.pages import PAGE_SIZE, Content, pages_in
from tinyprof.profile.mappings import MappingUse
from tinyprof.profile.merge import either_file
from tinyprof.profile.model import (
    AS_ANYTHING,
    EITHER,
    KIND_LETTERS,
    BootFacts,
    FileUse,
    LinkUse,
    PageUse,
    PhaseFacts,
    Profile,
    Seen,
)
from tinyprof.profile.told import PlacedFile, ToldMatch, match_told
from tinyprof.wire.source import other_source

STEADY_PREFIX = "steady"
"""A mark whose name begins with this names the steady state."""

_KEY_OF = {
    **{int(kind): letter for kind, letter in KIND_LETTERS.items()},
    MAPPED: EITHER,
    ANY: AS_ANYTHING,
}


def steady_phases(phases: Sequence[Phase]) -> list[bool]:
    """Whether each phase belongs to the steady state. The first rule that finds a phase decides:

    1. phases named "steady…";
    2. the longest phase that a mark began, other than the first of those;
    3. the phases after the steady state was found (heat.volume_heat);
    4. all phases.

    An epoch that the end of a recording cut off counts only where there is no whole one.
    """
    found = _steady_by_name_or_length(phases)
    whole = [
        is_steady and phase.share >= 1 for is_steady, phase in zip(found, phases, strict=True)
    ]
    has_epochs = any(it and phase.epochs for it, phase in zip(whole, phases, strict=True))
    return whole if has_epochs else found


def _steady_by_name_or_length(phases: Sequence[Phase]) -> list[bool]:
    if any(phase.name.startswith(STEADY_PREFIX) for phase in phases):
        return [phase.name.startswith(STEADY_PREFIX) for phase in phases]
    names = [phase.name for phase in phases if phase.name]
    if len(set(names)) > 1:
        later = list(dict.fromkeys(names))[1:]
        longest = max(later, key=lambda name: sum(p.epochs for p in phases if p.name == name))
        return [phase.name == longest for phase in phases]
    if any(phase.steady for phase in phases):
        return [phase.steady for phase in phases]
    return [True] * len(phases)


def profile_of_boot(boot: Boot, index: ImageIndex, weight: int = 1) -> Profile:
    """The profile of one boot with a hello, ended or not. Raises WrongImageError where the target
    runs another image."""
    return resolved(boot, index, weight)[0]


def resolved(
    boot: Boot, index: ImageIndex, weight: int, *, release: bool = False
) -> tuple[Profile, ToldMatch | None]:
    """The profile of a boot, and for the index of a tree, the told files that it has.

    `release`: the boot is over and nobody asks it again. Then the pages of an image are forgotten
    one file after another, so that a large recording is not in memory twice.
    """
    assert boot.hello
    number = index.volume_of(boot.hello)
    volume = boot.volumes.get(number) or VolumeHeat()
    source = other_source(boot.hello.source)
    used = _OneEpoch(volume, weight) if source and source.is_one_epoch else _Epochs(volume, weight)
    # An epoch that is under way has no place yet: neither have its pages.
    epochs = sum(phase.epochs for phase in used.phases)
    facts = BootFacts(
        str(index.fsid),
        boot.hello.kernel,
        epochs,
        boot.losses,
        used.phases,
        weight,
        source=source,
        in_place=index.pages_in_place if source and source.misses_pages_in_place else 0,
    )
    known: set[int] = set()
    told: ToldMatch | None = None
    if index.of_tree:
        told = match_told(index, boot.told.of_volume(number), used.page_ids)
        placed: Iterable[PlacedFile] = told.placed
    else:
        placed = _placed(index, used.page_ids, volume if release else None)
    files = _files(volume, str(index.fsid), placed, used, known) if used.page_ids else ()
    links = None if index.of_tree else _links(index, used, known)
    unknown = len((volume.page_ids | used.page_ids) - known)
    return Profile((facts,), unknown, files, links=links), told


def _placed(
    index: ImageIndex, page_ids: Set[int], over: VolumeHeat | None
) -> Iterator[PlacedFile]:
    """The files of an image with used pages. `over` forgets the pages of each file before the
    next one."""
    for file in index.files:
        its_pages = [page_id for page_id in file.page_ids if page_id in page_ids]
        if its_pages:
            yield PlacedFile(file, file.page_ids[0], its_pages)
            if over:
                over.release(its_pages)


def _phase_facts(phases: Sequence[Phase], steady: Sequence[bool]) -> tuple[PhaseFacts, ...]:
    """The phases that have epochs. Neighbours of one name become one phase."""
    facts: list[PhaseFacts] = []
    for phase, is_steady in zip(phases, steady, strict=True):
        last = facts[-1] if facts else None
        if last and (last.name, last.steady) == (phase.name, is_steady):
            facts[-1] = replace(
                last, epochs=last.epochs + phase.epochs, fresh=last.fresh + phase.fresh
            )
        elif phase.epochs:
            facts.append(PhaseFacts(phase.name, phase.first, phase.epochs, phase.fresh, is_steady))
    return tuple(facts)


class _Epochs:
    """The used pages of a volume, with the epochs that saw them, and its phases."""

    def __init__(self, volume: VolumeHeat, weight: int) -> None:
        self._steady = steady_phases(volume.phases)
        self._heats, self._weight = volume.pages, weight
        self._held = volume.mappings
        self._places = sorted(self._held)
        self.phases = _phase_facts(volume.phases, self._steady)
        self.page_ids: Set[int] = self._heats.keys()

    def use(self, page_id: int, page_hash: str) -> PageUse:
        """When a page was seen, by kind."""
        by_key = self._heats[page_id].by_key
        return PageUse(page_hash, {_KEY_OF[key]: self._seen(seen) for key, seen in by_key.items()})

    def mappings(self, first: int, pages: int) -> tuple[MappingUse, ...]:
        """The mappings of a file with so many pages, whose page 0 is `first`."""
        places = self._places[bisect_left(self._places, (first, 0)) :]
        return tuple(
            self._mapping(page_id - first, size, self._held[page_id, size])
            for page_id, size in takewhile(lambda place: place[0] < first + pages, places)
            if page_id + size <= first + pages
        )

    def _mapping(self, page: int, pages: int, held: Held) -> MappingUse:
        counts = [(*counts, self._steady[phase]) for phase, counts in held.phases.items()]
        use = MappingUse(
            page,
            pages,
            epochs=sum(epochs for epochs, _, _ in counts),
            steady=sum(epochs for epochs, _, is_steady in counts if is_steady),
            held=sum(total for _, total, _ in counts),
            held_steady=sum(total for _, total, is_steady in counts if is_steady),
            most=held.most,
        )
        return use.times(self._weight)

    def _seen(self, it: Sightings) -> Seen:
        steady = sum(
            count for count, is_steady in zip(it.phases, self._steady, strict=False) if is_steady
        )
        epochs = it.epochs * self._weight
        return Seen(epochs, steady * self._weight, it.first, it.last, it.stretches, it.longest, 1)


class _OneEpoch:
    """The used pages of a volume whose source sees no page twice.

    All is one long epoch, and it is the steady state. So every used page counts as hot: nobody can
    tell which are not.
    """

    def __init__(self, volume: VolumeHeat, weight: int) -> None:
        self._kinds = volume.kinds_seen()
        self._seen = Seen(weight, weight, 1, 1, 1, 1, 1)
        self.page_ids: Set[int] = self._kinds.keys()
        self.phases: tuple[PhaseFacts, ...] = ()
        if self._kinds or volume.ended:
            self.phases = (PhaseFacts("", 1, 1, len(self._kinds), True),)

    def mappings(self, first: int, pages: int) -> tuple[MappingUse, ...]:
        """None: nobody can tell for how long a mapping was held."""
        return ()

    def use(self, page_id: int, page_hash: str) -> PageUse:
        """The kinds of a page, each in the one epoch."""
        keys = keys_of(self._kinds[page_id])
        return PageUse(page_hash, {_KEY_OF[key]: self._seen for key in keys})


_Used = _Epochs | _OneEpoch


def _links(index: ImageIndex, used: _Used, known: set[int]) -> tuple[LinkUse, ...] | None:
    """The followed links of one boot. Adds the page ids that it resolves to `known`.

    None where no link was told: every boot follows some, so its kernel part is one that does not
    record them.
    """
    left = used.page_ids - known
    told = [link for link in index.links or () if link.page_id in left]
    known.update(link.page_id for link in told)
    images = (str(index.fsid),)
    uses = (LinkUse(it.path, it.target, images, used.use(it.page_id, "").any) for it in told)
    return tuple(uses) or None


def _files(
    volume: VolumeHeat, fsid: str, placed: Iterable[PlacedFile], used: _Used, known: set[int]
) -> tuple[FileUse, ...]:
    """The used files of one boot. Adds the page ids that it resolves to `known`."""
    found: dict[Content, FileUse] = {}
    for it in placed:
        uses = _uses(it, used)
        if not uses:
            continue
        known.update(it.first + page for page in uses)
        before = it.file.built_from
        # Pages behind the original's end were added by splitting its segments.
        uses = {page: use for page, use in uses.items() if page * PAGE_SIZE < before.size}
        if not uses:
            continue
        content = (before.sha256, before.size)
        mappings = used.mappings(it.first, pages_in(before.size))
        use = FileUse(
            it.file.path,
            before.size,
            before.sha256,
            uses,
            (fsid,),
            processes=_processes(volume, it.first, uses, mappings),
            mappings=mappings,
        )
        found[content] = either_file(found[content], use) if content in found else use
    return tuple(found.values())


def _processes(
    volume: VolumeHeat,
    first: int,
    uses: Mapping[int, PageUse],
    mappings: Sequence[MappingUse],
) -> int | None:
    """The number of processes that map a file, whose page 0 is `first`; None where the target did
    not count.

    1. A source that sees mappings counts each of them.
    2. Any other names only the files that several processes map, so a further mapped file has 1.
    """
    if mappings:
        return max(use.most for use in mappings)
    if volume.processes is None or not any(use.mapped for use in uses.values()):
        return None
    return volume.processes.get(first, 1)


def _uses(it: PlacedFile, used: _Used) -> dict[int, PageUse]:
    """The used pages of a file by number. A told file may have had more pages than the tree's."""
    hashes, end = it.file.hashes, pages_in(it.file.size)
    pages = (page_id - it.first for page_id in it.used)
    return {
        page: used.use(it.first + page, hashes[page].hex() if hashes else "")
        for page in pages
        if page < end
    }
