# SPDX-License-Identifier: MIT
"""Merges profiles: several in, one out.

Files with the same content are one file, whatever their images and paths. Counts add up. The
result does not depend on the order of the profiles.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, replace
from operator import attrgetter
from typing import Any

from tinyprof.pages import Content
from tinyprof.profile.mappings import MappingUse, joined_mappings
from tinyprof.profile.model import (
    AS_ANYTHING,
    COUNT_LIMIT,
    EITHER,
    KIND_LETTERS,
    LOSSES,
    WEIGHT_MAX,
    BootFacts,
    FileUse,
    LinkUse,
    PageUse,
    Profile,
    ProfileError,
    Seen,
)


def _without_repetition(seen: dict[str, Seen]) -> dict[str, Seen]:
    """Keep "xr" only beside "x" and "r", and "*" only where no other key says the same."""
    letters = [key for key in seen if key not in (EITHER, AS_ANYTHING)]
    if not {"x", "r"} <= seen.keys():
        seen.pop(EITHER, None)
    if len(letters) == 1 or set(letters) == {"x", "r"}:
        seen.pop(AS_ANYTHING, None)
    return seen


def _most(one: int | None, other: int | None) -> int | None:
    """The larger of two numbers of processes; either may be unknown."""
    return max(one or 0, other or 0) or None


def either_file(one: FileUse, other: FileUse) -> FileUse:
    """Two inodes of one content in one image as one file.

    They may have been seen in the same epochs, so the larger counts are taken.
    """
    pages = _joined(one.pages, other.pages, _either)
    return replace(
        one,
        pages=pages,
        processes=_most(one.processes, other.processes),
        mappings=joined_mappings(one.mappings, other.mappings, MappingUse.either),
    )


def _either(one: PageUse, other: PageUse) -> PageUse:
    return _combined(one, other, Seen.either)


def _sum(one: PageUse, other: PageUse) -> PageUse:
    return _combined(one, other, Seen.__add__)


def _combined(one: PageUse, other: PageUse, join: Any) -> PageUse:
    if one.seen.keys() == other.seen.keys() and len(one.seen) == 1:
        # Most pages have only the kind "x", so most of the time of a merge is spent here.
        ((key, seen),) = one.seen.items()
        return PageUse(max(one.hash, other.hash), {key: join(seen, other.seen[key])})
    both: dict[str, Seen] = {}
    for key in (*KIND_LETTERS.values(), EITHER, AS_ANYTHING):
        mine, theirs = _as(one, key), _as(other, key)
        if mine and theirs:
            both[key] = join(mine, theirs)
        elif mine or theirs:
            both[key] = mine or theirs  # type: ignore[assignment]
    return PageUse(max(one.hash, other.hash), _without_repetition(both))


def _as(use: PageUse, key: str) -> Seen | None:
    if key == EITHER:
        return use.mapped
    return use.any if key == AS_ANYTHING else use.seen.get(key)


def _joined(
    one: Mapping[int, PageUse], other: Mapping[int, PageUse], join: Any
) -> dict[int, PageUse]:
    pages = dict(one)
    for page, use in other.items():
        pages[page] = join(pages[page], use) if page in pages else use
    return pages


def weighted(profile: Profile, weight: int) -> Profile:
    """The profile with each of its boots counted `weight` times as often.

    Raises ProfileError where a boot would count more than WEIGHT_MAX times.
    """
    if weight == 1:
        return profile
    most = max((boot.weight * weight for boot in profile.boots), default=0)
    if most > WEIGHT_MAX:
        raise ProfileError(
            f"a boot would count {most} times, as it has a weight already; at most "
            f"{WEIGHT_MAX} can be kept",
            "give a smaller --weight",
        )

    def times(use: PageUse) -> PageUse:
        return PageUse(use.hash, {key: _times(it, weight) for key, it in use.seen.items()})

    files = (
        replace(
            f,
            pages={page: times(use) for page, use in f.pages.items()},
            mappings=tuple(use.times(weight) for use in f.mappings),
        )
        for f in profile.files
    )
    boots = (replace(boot, weight=boot.weight * weight) for boot in profile.boots)
    links = profile.links and tuple(
        replace(link, seen=_times(link.seen, weight)) for link in profile.links
    )
    return _countable(replace(profile, boots=tuple(boots), files=tuple(files), links=links))


def _times(it: Seen, weight: int) -> Seen:
    return replace(it, epochs=it.epochs * weight, steady=it.steady * weight)


def merge_profiles(profiles: Iterable[Profile]) -> Profile:
    """One profile of all boots, the same in whatever order the profiles come.

    1. Uses of one content add up.
    2. Of paths, the first in the order of characters is taken.
    3. Of page hashes that differ, the greatest is taken.
    4. Of fields that this version does not know, the one whose JSON text is the first in the order
       of characters is taken.

    Raises ProfileError where the epochs add up to more than a profile can hold.
    """
    boots: list[BootFacts] = []
    merged: dict[Content, FileUse] = {}
    unknown = 0
    extra: dict[str, Any] = {}
    links: dict[tuple[str, str], LinkUse] | None = None
    for profile in profiles:
        if profile.links is not None:
            links = _joined_links(links or {}, profile.links)
        boots += profile.boots
        unknown += profile.unknown_pages
        extra = _either_extra(extra, profile.extra)
        for file in profile.files:
            content = (file.sha256, file.size)
            before = merged.get(content)
            merged[content] = file if before is None else _merged_file(before, file)
    files = sorted(merged.values(), key=lambda file: (file.path, file.sha256))
    boots.sort(
        key=lambda boot: (
            boot.fsid,
            boot.kernel,
            boot.epochs,
            boot.weight,
            _losses(boot),
            _names(boot),
            boot.in_place,
            astuple(boot.source) if boot.source else (),
            _text(boot.extra),
        )
    )
    told = None if links is None else tuple(links[key] for key in sorted(links))
    return _countable(Profile(tuple(boots), unknown, tuple(files), extra, told))


def _joined_links(
    links: dict[tuple[str, str], LinkUse], others: Iterable[LinkUse]
) -> dict[tuple[str, str], LinkUse]:
    """Links of one path and one target are one link. Its uses add up."""
    for link in others:
        key = link.path, link.target
        before = links.get(key)
        if before:
            images = tuple(sorted({*before.images, *link.images}))
            link = replace(link, images=images, seen=before.seen + link.seen)  # noqa: PLW2901
        links[key] = link
    return links


def _countable(profile: Profile) -> Profile:
    """The profile, if its counts can be written down.

    No count of a page is greater than the epochs of all boots. Raises ProfileError.
    """
    held = max((use.held for file in profile.files for use in file.mappings), default=0)
    for count, noun in (
        (profile.epochs, "epochs"),
        (profile.unknown_pages, "unknown pages"),
        (held, "processes of a mapping"),
    ):
        if count >= COUNT_LIMIT:
            raise ProfileError(
                f"the {noun} add up to {count}; a profile holds at most {COUNT_LIMIT - 1}",
                "merge fewer profiles, or give smaller weights",
            )
    return profile


def _either_extra(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of both; of a name in both, the value whose JSON text is the first."""
    found = {**other, **one}
    for name in one.keys() & other.keys():
        found[name] = min(one[name], other[name], key=_text)
    return found


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _losses(boot: BootFacts) -> tuple[int, ...]:
    return tuple(getattr(boot.losses, name) for name in LOSSES)


def _names(boot: BootFacts) -> list[tuple[Any, ...]]:
    return [
        attrgetter("name", "first", "epochs", "fresh", "steady")(phase) for phase in boot.phases
    ]


def _merged_file(one: FileUse, other: FileUse) -> FileUse:
    symbols = one.symbols
    if other.symbols != symbols:
        symbols = tuple(
            sorted({*symbols, *other.symbols}, key=attrgetter("offset", "name", "size"))
        )
    return replace(
        one,
        path=min(one.path, other.path),
        pages=_joined(one.pages, other.pages, _sum),
        images=one.images
        if one.images == other.images
        else tuple(sorted({*one.images, *other.images})),
        symbols=symbols,
        processes=_most(one.processes, other.processes),
        extra=_either_extra(one.extra, other.extra),
        mappings=joined_mappings(one.mappings, other.mappings, MappingUse.__add__),
    )
