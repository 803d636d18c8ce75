# SPDX-License-Identifier: MIT
"""Resolves captures into profiles: boots and an image index in, the used pages of each file out.

A page id has a meaning only together with the index of its image, so a boot and an index must
belong together. This module also decides which phases of a boot are its steady state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tinyprof.capture.format import Ending
from tinyprof.capture.index import ImageIndex, IndexedFile, WrongImageError
from tinyprof.heat.boots import Boot, split_boots
from tinyprof.heat.page_heat import ANY, MAPPED, PageHeat, Sightings
from tinyprof.heat.volume_heat import Phase, VolumeHeat
from tinyprof.pages import PAGE_SIZE, Content
from tinyprof.profile.merge import either_file, merge_profiles
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
    ProfileError,
    Seen,
)
from tinyprof.wire.frames import Event
from tinyprof.wire.messages import Hello

STEADY_PREFIX = "steady"
"""A mark whose name begins with this names the steady state."""

_KEY_OF = {
    **{int(kind): letter for kind, letter in KIND_LETTERS.items()},
    MAPPED: EITHER,
    ANY: AS_ANYTHING,
}


class Capture(Protocol):
    """A capture, or all parts of a recording as one."""

    @property
    def name(self) -> str:
        """The name that errors show."""
        ...

    @property
    def index(self) -> ImageIndex | None:
        """The index of the image that the target ran, if the capture carries one."""
        ...

    @property
    def index_fault(self) -> str:
        """Why the capture carries no index."""
        ...

    @property
    def ending(self) -> Ending | None:
        """Why the recording ended, once the events are read. None: it was killed."""
        ...

    @property
    def losses(self) -> Mapping[str, int] | None:
        """The losses that its recorder counted, once the events are read."""
        ...

    def events(self) -> Iterator[Event]:
        """The events on the line, each once."""
        ...


def make_profile(
    captures: Iterable[Capture],
    image: ImageIndex | None = None,
    weights: Mapping[str, int] | None = None,
) -> Profile:
    """Resolve and merge captures; each is read to its end.

    `weights`: the number of times that the boots of a capture count, by its name; 1 where it is
    not named.

    A boot resolves with the first of these indexes whose fsid its target named:

    1. the capture's own;
    2. `image`.

    Raises WrongImageError where neither fits, or where none of the targets ran `image`. Raises
    ProfileError for a capture without an index or without a hello.
    """
    profiles = []
    elsewhere: list[WrongImageError | None] = []
    for capture in captures:
        weight = (weights or {}).get(capture.name, 1)
        boots = list(_boots_of(capture, image, weight))
        if not boots:
            raise ProfileError(
                f"{capture.name}: no target introduced itself in it",
                "record for longer; a target sends its hello every 10 s",
            )
        found = [profile for profile, _ in boots]
        if ended := _cut_by(capture):
            (facts,) = found[-1].boots
            extra = {**facts.extra, "ended": ended}
            found[-1] = replace(found[-1], boots=(replace(facts, extra=extra),))
        profiles += found
        elsewhere += [error for _, error in boots]
    # A user who names an image means it, even where the captures do not need it.
    errors = [error for error in elsewhere if error]
    if errors and len(errors) == len(elsewhere):
        raise errors[0]
    return merge_profiles(profiles)


def _boots_of(
    capture: Capture, image: ImageIndex | None, weight: int
) -> Iterator[tuple[Profile, WrongImageError | None]]:
    """The profile of each boot with a hello, and the error where its target did not run
    `image`."""
    indexes = [index for index in (capture.index, image) if index]
    if not indexes:
        raise ProfileError(
            f"{capture.name}: the capture carries no image index{_because(capture.index_fault)}",
            "give the image that was in flash with --image",
        )
    for boot in split_boots(capture.events()):
        if boot.hello:
            index = _index_of(capture.name, boot, indexes)
            yield profile_of_boot(boot, index, weight, release=True), _not_of(boot.hello, image)


def _cut_by(capture: Capture) -> str:
    """The event that cut a recording off; empty if somebody asked for its end."""
    if (capture.losses or {}).get("silent_ms"):
        return "silent"
    return "killed" if capture.ending is None else ""


def _not_of(hello: Hello, image: ImageIndex | None) -> WrongImageError | None:
    """The error for an image that the target did not run; None where it ran it, or for no
    image."""
    try:
        if image:
            image.volume_of(hello)
    except WrongImageError as error:
        return error
    return None


def _because(fault: str) -> str:
    return f" ({fault})" if fault else ""


def _index_of(name: str, boot: Boot, indexes: list[ImageIndex]) -> ImageIndex:
    assert boot.hello
    errors = []
    for index in indexes:
        try:
            index.volume_of(boot.hello)
            return index
        except WrongImageError as error:
            errors.append(error)
    # The image that the user named stands last, so the message is about that one.
    raise WrongImageError(f"{name}: {errors[-1].message}", errors[-1].hint)


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


def profile_of_boot(
    boot: Boot, index: ImageIndex, weight: int = 1, *, release: bool = False
) -> Profile:
    """The profile of one boot with a hello, ended or not. Raises WrongImageError where the target
    runs another image.

    `release`: the boot is over and nobody asks it again. Then its pages are forgotten one file
    after another, so that a large recording is not in memory twice.
    """
    assert boot.hello
    volume = boot.volumes.get(index.volume_of(boot.hello)) or VolumeHeat()
    steady = steady_phases(volume.phases)
    phases = _phase_facts(volume.phases, steady)
    # An epoch that is under way has no place yet: neither have its pages.
    epochs = sum(phase.epochs for phase in phases)
    facts = BootFacts(str(index.fsid), boot.hello.kernel, epochs, boot.losses, phases, weight)
    known: set[int] = set()
    scale = _Scale(weight, tuple(steady))
    files = _files(volume, index, scale, known, release) if volume.page_ids else ()
    links = _links(volume, index, scale, known)
    return Profile((facts,), len(volume.page_ids - known), files, links=links)


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


@dataclass(frozen=True, slots=True)
class _Scale:
    """The weight of a boot, and whether each of its phases belongs to the steady state."""

    weight: int
    steady: tuple[bool, ...]

    def seen(self, it: Sightings) -> Seen:
        steady = sum(
            count for count, is_steady in zip(it.phases, self.steady, strict=False) if is_steady
        )
        epochs = it.epochs * self.weight
        return Seen(epochs, steady * self.weight, it.first, it.last, it.stretches, it.longest, 1)

    def use(self, heat: PageHeat, page_hash: str) -> PageUse:
        return PageUse(
            page_hash, {_KEY_OF[key]: self.seen(seen) for key, seen in heat.by_key.items()}
        )


def _links(
    volume: VolumeHeat, index: ImageIndex, scale: _Scale, known: set[int]
) -> tuple[LinkUse, ...] | None:
    """The followed links of one boot. Adds the page ids that it resolves to `known`.

    None where no link was told: every boot follows some, so its kernel part is one that does not
    record them.
    """
    left = volume.page_ids - known
    told = [link for link in index.links or () if link.page_id in left]
    known.update(link.page_id for link in told)
    images = (str(index.fsid),)
    return (
        tuple(
            LinkUse(link.path, link.target, images, scale.use(volume.pages[link.page_id], "").any)
            for link in told
            if link.page_id in volume.pages
        )
        or None
    )


def _files(
    volume: VolumeHeat, index: ImageIndex, scale: _Scale, known: set[int], release: bool
) -> tuple[FileUse, ...]:
    """The used files of one boot. Adds the page ids that it resolves to `known`."""
    heats = volume.pages
    found: dict[Content, FileUse] = {}
    for file in index.files:
        uses = _uses(file, heats, scale)
        if not uses:
            continue
        known.update(file.page_ids[page] for page in uses)
        if release:
            volume.release(file.page_ids)
        before = file.built_from
        # Pages behind the original's end were added by splitting its segments.
        uses = {page: use for page, use in uses.items() if page * PAGE_SIZE < before.size}
        if not uses:
            continue
        content = (before.sha256, before.size)
        processes = _processes(volume, file, uses)
        use = FileUse(
            file.path, before.size, before.sha256, uses, (str(index.fsid),), processes=processes
        )
        found[content] = either_file(found[content], use) if content in found else use
    return tuple(found.values())


def _processes(volume: VolumeHeat, file: IndexedFile, uses: Mapping[int, PageUse]) -> int | None:
    """The number of processes that map a file; None where the target did not count.

    A target names only the files that several processes map, so any other mapped file has 1.
    """
    if volume.processes is None or not any(use.mapped for use in uses.values()):
        return None
    return volume.processes.get(file.page_ids[0], 1)


def _uses(file: IndexedFile, heats: Mapping[int, PageHeat], scale: _Scale) -> dict[int, PageUse]:
    hashes = file.hashes
    return {
        page: scale.use(heats[page_id], hashes[page].hex() if hashes else "")
        for page, page_id in enumerate(file.page_ids)
        if page_id in heats
    }
