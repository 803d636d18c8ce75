# SPDX-License-Identifier: MIT
"""Resolves captures into one profile: captures and the means to resolve them in, the used pages of
each file out.

A page id has a meaning only together with an index, so a boot and an index must belong together.
`boot_profile` makes the profile of each boot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from tinyprof.capture.format import Ending
from tinyprof.capture.index import ImageIndex, WrongImageError
from tinyprof.heat.boots import split_boots
from tinyprof.profile.boot_profile import profile_of_boot, resolved
from tinyprof.profile.merge import merge_profiles
from tinyprof.profile.model import Profile, ProfileError
from tinyprof.profile.told import ToldMatch
from tinyprof.wire.frames import Event
from tinyprof.wire.messages import Hello

__all__ = ["Capture", "Means", "make_profile", "profile_of_boot"]


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


ReadTree = Callable[[], ImageIndex]
"""Reads the tree whose files the targets told, once it is needed, and returns its index."""


@dataclass(frozen=True, slots=True)
class Means:
    """The means, beside the captures, to resolve boots: the index of an image, and a tree.

    `tree_is_meant`: somebody named the tree for these captures, so it stands before a capture's
    own. `on_told` is told of each boot that a tree resolves: the capture's name, and its told
    files.
    """

    image: ImageIndex | None = None
    tree: ReadTree | None = None
    tree_is_meant: bool = True
    on_told: Callable[[str, ToldMatch], None] = lambda name, told: None


def make_profile(
    captures: Iterable[Capture],
    image: ImageIndex | None = None,
    weights: Mapping[str, int] | None = None,
    means: Means | None = None,
) -> Profile:
    """Resolve and merge captures; each is read to its end.

    `weights`: the number of times that the boots of a capture count, by its name; 1 where it is
    not named. `image` alone stands for `Means(image)`.

    A boot resolves with the first of these indexes that fits it. An image's fits if its target
    named the fsid, and a tree's if its target told files:

    1. the capture's own, of an image;
    2. `means.image`;
    3. `means.tree` if it is meant;
    4. the capture's own, of a tree;
    5. `means.tree`, if the target has no CramFS: else its image is missing.

    Raises WrongImageError where none fits, or where none of the targets ran the image. Raises
    ProfileError for a capture without an index or without a hello.
    """
    profiles = []
    elsewhere: list[WrongImageError | None] = []
    means = means or Means(image)
    for capture in captures:
        weight = (weights or {}).get(capture.name, 1)
        boots = list(_boots_of(capture, means, weight))
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
    capture: Capture, means: Means, weight: int
) -> Iterator[tuple[Profile, WrongImageError | None]]:
    """The profile of each boot with a hello, and the error where its target did not run the
    image."""
    for boot in split_boots(capture.events()):
        if boot.hello:
            index = _index_of(capture, boot.hello, means)
            profile, told = resolved(boot, index, weight, release=True)
            if told:
                means.on_told(capture.name, told)
            yield profile, _not_of(boot.hello, means.image)


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


def _index_of(capture: Capture, hello: Hello, means: Means) -> ImageIndex:
    """The index that resolves a boot. Raises WrongImageError or ProfileError."""
    own, tells_files = capture.index, hello.file_volume is not None
    has_cramfs = any(not volume.is_files for volume in hello.volumes)
    errors = []
    of_images = [index for index in (own, means.image) if index and not index.of_tree]
    for index in of_images:
        try:
            index.volume_of(hello)
            return index
        except WrongImageError as error:
            errors.append(error)
    if tells_files and means.tree and means.tree_is_meant:
        return means.tree()
    if own and own.of_tree:
        try:
            own.volume_of(hello)
            return own
        except WrongImageError as error:
            errors.append(error)
    if tells_files and not has_cramfs:
        if means.tree:
            return means.tree()
        if not errors:
            raise _no_tree(capture.name)
    if not errors:
        raise ProfileError(
            f"{capture.name}: the capture carries no image index{_because(capture.index_fault)}",
            "give the image that was in flash with --image"
            + (", or a folder for other file systems with --rootfs" if tells_files else ""),
        )
    # The image that the user named stands last, so the message is about that one.
    raise WrongImageError(f"{capture.name}: {errors[-1].message}", errors[-1].hint)


def _no_tree(name: str) -> ProfileError:
    return ProfileError(
        f"{name}: the target told files of other file systems than CramFS, and their contents are "
        "not in the capture",
        "give the folder of its root filesystem: tinyprof profile CAPTURE --rootfs DIR -o X.tprof",
    )
