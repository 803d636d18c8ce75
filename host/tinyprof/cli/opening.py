# SPDX-License-Identifier: MIT
"""Opens whatever stands for a profile: a profile, or captures that one is made of.

Every command that wants a profile takes its file names through here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from tinyprof.capture.format import MAGIC, Meta
from tinyprof.capture.index import ImageIndex, StoredSizes, stored_sizes
from tinyprof.capture.parts import Parts, recordings_of
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.errors import TinyprofError
from tinyprof.pages import Content
from tinyprof.profile.merge import merge_profiles, weighted
from tinyprof.profile.model import Profile, ProfileError
from tinyprof.profile.resolve import make_profile
from tinyprof.profile.temperature import DEFAULT_THRESHOLDS, Thresholds
from tinyprof.profile.tprof import load_profile
from tinyprof.rootfs.contents import Contents, contents_of_image, contents_of_tree
from tinyprof.rootfs.indexing import index_image
from tinyprof.text import shown

PROFILE_MAX = 1 << 28


HOT = click.option(
    "--hot",
    type=click.FloatRange(0.01, 1),
    default=DEFAULT_THRESHOLDS.hot,
    show_default=True,
    help="Hot is what this share of the steady state's epochs saw.",
)


ROOTFS = click.option(
    "--rootfs",
    type=click.Path(path_type=Path),
    help="The tree that the image was made of: for section and function names, in "
    "place of --image.",
)


def contents_of(image: Path | None, rootfs: Path | None) -> Contents | None:
    """The files themselves, where somebody said where they are; the tree before the image."""
    if rootfs:
        return contents_of_tree(rootfs)
    return contents_of_image(image) if image else None


def thresholds_of(hot: float) -> Thresholds:
    """The thresholds of the classes, as options set them."""
    return Thresholds(hot)


def open_profile(paths: Sequence[Path], image: Path | None = None) -> Profile:
    """One profile of what stands for one: profiles and captures, merged. `image` is for captures
    that carry no index, or a wrong one.

    Raises TinyprofError naming the file; warns on stderr of captures that are cut short.
    """
    return merge_files(paths, image, {})[0]


def merge_files(
    paths: Sequence[Path], image: Path | None, weights: Mapping[Path, int]
) -> tuple[Profile, bool]:
    """The merge of captures and profiles, each counted by its weight, and whether all captures
    were whole."""
    index = index_of(image) if image else None
    captures = [path for path in paths if is_capture(path)]
    profiles = [_load(path, weights.get(path, 1)) for path in paths if path not in captures]
    if not captures:
        return (profiles[0] if len(profiles) == 1 else merge_profiles(profiles)), True
    profile, whole = _profile_of_captures(captures, index, weights)
    return (merge_profiles([*profiles, profile]) if profiles else profile), whole


def stored_sizes_of(paths: Sequence[Path], image: Path | None = None) -> StoredSizes:
    """What pages take as they are stored, as far as captures among the files, or an image, say
    it."""
    found: dict[Content, Sequence[int]] = {}
    for path in paths:
        if is_capture(path):
            with path.open("rb") as file:
                if index := CaptureReader(file, shown(str(path))).index:
                    found.update(stored_sizes(index))
    if image:
        found.update(stored_sizes(index_of(image)))
    return found


def is_capture(path: Path) -> bool:
    """Whether a file begins as a capture does, of whatever version."""
    with path.open("rb") as file:
        return file.read(5) == MAGIC[:5]


def _profile_of_captures(
    paths: Sequence[Path], index: ImageIndex | None, weights: Mapping[Path, int]
) -> tuple[Profile, bool]:
    readers: list[CaptureReader] = []

    def opened(parts: Sequence[int]) -> Iterator[CaptureReader]:
        for place in parts:
            with paths[place].open("rb") as file:
                readers.append(CaptureReader(file, shown(str(paths[place]))))
                yield readers[-1]

    recordings = recordings_of([meta_of(path) for path in paths])
    by_name = {
        shown(str(paths[parts[0]])): max(weights.get(paths[place], 1) for place in parts)
        for parts in recordings
    }
    profile = make_profile((Parts(opened(parts)) for parts in recordings), index, by_name)
    for reader in readers:
        if reader.cut_at is not None:
            click.echo(
                f"tinyprof: {reader.name}: cut short or damaged at byte {reader.cut_at}; "
                "used up to there",
                err=True,
            )
    return profile, all(reader.cut_at is None for reader in readers)


def meta_of(path: Path) -> Meta:
    """The circumstances of a capture. Raises CaptureError naming the file."""
    with path.open("rb") as file:
        return CaptureReader(file, shown(str(path))).meta


def index_of(image: Path) -> ImageIndex:
    """The index of an image file. Raises TinyprofError naming the file."""
    try:
        return index_image(read_image(image.read_bytes()))
    except TinyprofError as error:
        raise type(error)(f"{shown(str(image))}: {error.message}", error.hint) from None


def _load(path: Path, weight: int) -> Profile:
    """A profile, counted so many times. Raises ProfileError naming the file."""
    if path.stat().st_size > PROFILE_MAX:
        raise ProfileError(
            f"{shown(str(path))}: larger than any profile: over {PROFILE_MAX} bytes"
        )
    try:
        return weighted(load_profile(path.read_text(encoding="utf-8")), weight)
    except UnicodeDecodeError:
        raise ProfileError(
            f"{shown(str(path))}: not a tinyprof profile: not text",
            "make one with 'tinyprof profile'",
        ) from None
    except ProfileError as error:
        raise ProfileError(f"{shown(str(path))}: {error.message}", error.hint) from None
