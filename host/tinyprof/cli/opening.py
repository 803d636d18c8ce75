# SPDX-License-Identifier: MIT
"""Opens profiles, and captures in place of a profile.

Every command that needs a profile opens its files here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cache as once
from pathlib import Path

import click

from tinyprof import __version__
from tinyprof.capture.format import MAGIC, Meta
from tinyprof.capture.index import ImageIndex, StoredSizes, stored_sizes
from tinyprof.capture.parts import Parts, recordings_of
from tinyprof.capture.reader import CaptureReader
from tinyprof.cli.bar import ReadingBar
from tinyprof.cramfs.reading.reader import open_image
from tinyprof.cramfs.tree import Tree
from tinyprof.disk import read_limited
from tinyprof.errors import about
from tinyprof.pages import Content
from tinyprof.profile.merge import merge_profiles, weighted
from tinyprof.profile.model import Profile, ProfileError
from tinyprof.profile.resolve import Means, make_profile
from tinyprof.profile.temperature import DEFAULT_THRESHOLDS, Thresholds
from tinyprof.profile.told import ToldMatch
from tinyprof.profile.tprof import PROFILE_MAX, load_profile
from tinyprof.report.origin import Origin, Recorded
from tinyprof.report.told import told_lines
from tinyprof.rootfs.contents import Contents, contents_of_image, contents_of_tree
from tinyprof.rootfs.indexing import index_image, index_tree
from tinyprof.text import shell_word, shown

TREE_LEVEL = 6
"""Compression level for the sizes of a tree's pages: the one that build has by itself."""

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
    help="Tree that the image was made of, or the folder of a root filesystem that is no CramFS. "
    "Its files give the names of sections and functions, in place of those in --image.",
)


def contents_of(image: Path | None, rootfs: Path | None) -> Contents | None:
    """The files in a tree, else those in an image; None where neither is given."""
    if rootfs:
        return contents_of_tree(rootfs)
    return contents_of_image(image) if image else None


def thresholds_of(hot: float) -> Thresholds:
    """The thresholds of the classes, as the options set them."""
    return Thresholds(hot)


def open_profile(
    paths: Sequence[Path],
    image: Path | None = None,
    rootfs: Path | None = None,
    tree: Tree | None = None,
) -> Profile:
    """The merge of profiles and captures. `image` is for captures without an index, or with a
    wrong one.

    `rootfs` is the tree whose files the targets told. `tree` takes its place, where neither it nor
    a capture has one.

    Raises TinyprofError that names the file. Warns on stderr of captures that are cut short.
    """
    means = means_of(image, rootfs)
    if tree and not rootfs:
        means = Means(means.image, once(lambda: index_tree(tree)), False, show_told)
    return merge_files(paths, means, {})[0]


def means_of(
    image: Path | None,
    rootfs: Path | None,
    on_told: Callable[[str, ToldMatch], None] | None = None,
) -> Means:
    """The means that a user named to resolve captures. The tree is read when it is needed.

    `on_told` is told of the boots that the tree resolves; without it stderr shows them.
    """
    tree = once(lambda: index_of_tree(rootfs)) if rootfs else None
    return Means(index_of(image) if image else None, tree, on_told=on_told or show_told)


def show_told(name: str, told: ToldMatch, *, everything: bool = False) -> None:
    """Say on stderr which of the files that a target told are in the tree."""
    for line in told_lines(told, everything=everything):
        click.echo(f"tinyprof: {name}: {shown(line)}", err=True)


def merge_files(
    paths: Sequence[Path], means: Means, weights: Mapping[Path, int]
) -> tuple[Profile, bool]:
    """The merge of captures and profiles, each counted `weights` times, and whether all captures
    were whole."""
    with closing(ReadingBar(paths)) as bar:
        return _merged(paths, means, weights, bar)


def _merged(
    paths: Sequence[Path], means: Means, weights: Mapping[Path, int], bar: ReadingBar
) -> tuple[Profile, bool]:
    captures = [path for path in paths if is_capture(path)]
    profiles = [_load(path, weights.get(path, 1), bar) for path in paths if path not in captures]
    if not captures:
        return (profiles[0] if len(profiles) == 1 else merge_profiles(profiles)), True
    profile, whole = _profile_of_captures(captures, means, weights, bar)
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


def origin_of(paths: Sequence[Path], image: Path | None = None) -> Origin:
    """Where a page that is made of these files comes from, and the command that makes it."""
    recorded, name, size = [], "", 0
    for path in paths:
        meta = Meta()
        if is_capture(path):
            with path.open("rb") as file:
                reader = CaptureReader(file, shown(str(path)))
                meta, index = reader.meta, reader.index
            if index and not index.of_tree:
                name, size = index.name, index.size
        recorded.append(Recorded(path.name, meta.began, meta.port, meta.tinyprof))
    if image:
        name, size = image.name, open_image(image).superblock.size
    words = " ".join(map(shell_word, sys.argv[1:]))
    return Origin(tuple(recorded), name, size, __version__, f"tinyprof {words}")


def is_capture(path: Path) -> bool:
    """Whether a file begins as a capture of any version does."""
    with path.open("rb") as file:
        return file.read(5) == MAGIC[:5]


def _profile_of_captures(
    paths: Sequence[Path], means: Means, weights: Mapping[Path, int], bar: ReadingBar
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
    captures = (Parts(opened(parts)) for parts in recordings)
    profile = make_profile(captures, weights=by_name, means=means)
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


def index_of_tree(rootfs: Path, stored_size: Callable[[bytes], int] | None = None) -> ImageIndex:
    """The index of a root filesystem's folder. Raises TreeError.

    `stored_size` gives the bytes that a page takes compressed, where its cost is of interest.
    """
    return index_tree(Tree.from_directory(rootfs, any_owner=True), stored_size)


def index_to_record(image: Path | None, rootfs: Path | None) -> ImageIndex | None:
    """The index that a capture shall carry: that of the image, else that of the tree, with the
    sizes that its pages have as tinyprof would store them."""
    if image:
        return index_of(image)
    if rootfs is None:
        return None
    # The parts of a build take long to import, and only a tree needs them here.
    from tinyprof.cli.building.block_cache import open_cache  # noqa: PLC0415
    from tinyprof.cramfs.writing.compressor import choose_compressor  # noqa: PLC0415
    from tinyprof.cramfs.writing.packer import compressed_size_of  # noqa: PLC0415

    with closing(open_cache(TREE_LEVEL)) as cache:
        sizes = compressed_size_of(choose_compressor(TREE_LEVEL, False), cache)
        index = index_of_tree(rootfs, sizes)
        cache.save()
    return index


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
