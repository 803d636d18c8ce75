# SPDX-License-Identifier: MIT
"""Opens profiles, and captures in place of a profile.

Every command that needs a profile opens its files here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from tinyprof.capture.format import MAGIC, Meta
from tinyprof.capture.index import ImageIndex, StoredSizes, stored_sizes
from tinyprof.capture.parts import Parts, recordings_of
from tinyprof.capture.reader import CaptureReader
from tinyprof.cli.bar import ReadingBar
from tinyprof.cramfs.reading.reader import open_image
from tinyprof.disk import read_limited
from tinyprof.errors import about
from tinyprof.pages import Content
from tinyprof.profile.merge import merge_profiles, weighted
from tinyprof.profile.model import Profile, ProfileError
from tinyprof.profile.resolve import make_profile
from tinyprof.profile.temperature import DEFAULT_THRESHOLDS, Thresholds
from tinyprof.profile.tprof import PROFILE_MAX, load_profile
from tinyprof.rootfs.contents import Contents, contents_of_image, contents_of_tree
from tinyprof.rootfs.indexing import index_image
from tinyprof.text import shown

HOT = click.option(
    "--hot",
    type=click.FloatRange(0.01, 1),
    default=DEFAULT_THRESHOLDS.hot,
    show_default=True,
    help="Share of the steady state's epochs in which a hot page is seen, at least.",
)


ROOTFS = click.option(
    "--rootfs",
    type=click.Path(path_type=Path),
    help="Tree that the image was made of. Its files give the names of sections and functions, "
    "in place of those in --image.",
)


def contents_of(image: Path | None, rootfs: Path | None) -> Contents | None:
    """The files in a tree, else those in an image; None where neither is given."""
    if rootfs:
        return contents_of_tree(rootfs)
    return contents_of_image(image) if image else None


def thresholds_of(hot: float) -> Thresholds:
    """The thresholds of the classes, as the options set them."""
    return Thresholds(hot)


def open_profile(paths: Sequence[Path], image: Path | None = None) -> Profile:
    """The merge of profiles and captures. `image` is for captures without an index, or with a
    wrong one.

    Raises TinyprofError that names the file. Warns on stderr of captures that are cut short.
    """
    return merge_files(paths, image, {})[0]


def merge_files(
    paths: Sequence[Path], image: Path | None, weights: Mapping[Path, int]
) -> tuple[Profile, bool]:
    """The merge of captures and profiles, each counted `weights` times, and whether all captures
    were whole."""
    with contextlib.closing(ReadingBar(paths)) as bar:
        return _merged(paths, index_of(image) if image else None, weights, bar)


def _merged(
    paths: Sequence[Path], index: ImageIndex | None, weights: Mapping[Path, int], bar: ReadingBar
) -> tuple[Profile, bool]:
    captures = [path for path in paths if is_capture(path)]
    profiles = [_load(path, weights.get(path, 1), bar) for path in paths if path not in captures]
    if not captures:
        return (profiles[0] if len(profiles) == 1 else merge_profiles(profiles)), True
    profile, whole = _profile_of_captures(captures, index, weights, bar)
    return (merge_profiles([*profiles, profile]) if profiles else profile), whole


def stored_sizes_of(paths: Sequence[Path], image: Path | None = None) -> StoredSizes:
    """The stored sizes of pages, as far as the captures among the files, or an image, have
    them."""
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
    """Whether a file begins as a capture of any version does."""
    with path.open("rb") as file:
        return file.read(5) == MAGIC[:5]


def _profile_of_captures(
    paths: Sequence[Path], index: ImageIndex | None, weights: Mapping[Path, int], bar: ReadingBar
) -> tuple[Profile, bool]:
    readers: list[CaptureReader] = []

    def opened(parts: Sequence[int]) -> Iterator[CaptureReader]:
        for place in parts:
            with bar.opened(paths[place]) as file:
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
    """The circumstances of a capture. Raises CaptureError that names the file."""
    with path.open("rb") as file:
        return CaptureReader(file, shown(str(path))).meta


def index_of(image: Path) -> ImageIndex:
    """The index of an image file. Raises TinyprofError that names the file."""
    found = open_image(image)
    with about(shown(str(image))):
        return index_image(found)


def _load(path: Path, weight: int, bar: ReadingBar) -> Profile:
    """A profile, counted `weight` times. Raises TinyprofError that names the file."""
    data = read_limited(path, PROFILE_MAX)
    bar.add(len(data))
    with about(shown(str(path))):
        try:
            return weighted(load_profile(data.decode("utf-8")), weight)
        except UnicodeDecodeError:
            raise ProfileError(
                "not a tinyprof profile: not text", "make one with 'tinyprof profile'"
            ) from None
