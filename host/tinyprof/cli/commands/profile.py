# SPDX-License-Identifier: MIT
"""tinyprof profile: captures resolved and merged into a profile."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.completion import PROFILES, files_ending
from tinyprof.cli.opening import means_of, merge_files, show_told
from tinyprof.cli.results import write_result
from tinyprof.cramfs.tree import Tree
from tinyprof.disk import refuse_inputs, refuse_inside
from tinyprof.profile.model import WEIGHT_MAX, Profile, ProfileError
from tinyprof.profile.told import ToldMatch
from tinyprof.profile.tprof import dump_profile
from tinyprof.report.plans import nothing_found
from tinyprof.report.summary import boot_text
from tinyprof.rootfs.landmarks import with_symbols
from tinyprof.text import counted, shown

FILE = click.Path(path_type=Path)


@click.command(
    help="Resolve CAPTURES into one profile. Profiles among them are merged into it.",
    epilog="Example: tinyprof profile boot.tpcap -o boot.tprof",
)
@click.argument(
    "captures", nargs=-1, required=True, type=FILE, shell_complete=files_ending(PROFILES)
)
@click.option("--image", type=FILE, help="Image in flash, for captures recorded without it.")
@click.option(
    "--rootfs",
    type=FILE,
    metavar="DIR",
    help="Folder of the recorded root filesystem, for captures of file systems other than CramFS.",
)
@click.option(
    "--weight",
    "weights",
    type=(FILE, click.IntRange(1, WEIGHT_MAX)),
    multiple=True,
    metavar="FILE N",
    help="Count the boots of this capture or profile N times.",
)
@click.option(
    "--symbols",
    type=FILE,
    metavar="ROOTFS",
    help="Keep the places of functions in the files of this tree, so that later versions of the "
    "files can be planned too.",
)
@click.option(
    "--debug",
    type=FILE,
    metavar="DIR",
    help="With --symbols: folder of separate debug files, PATH.debug.",
)
@click.option("-o", "output", required=True, type=FILE, help="Write the profile to this file.")
@click.option(
    "-v", "verbose", is_flag=True, help="With --rootfs: name every file that is not there."
)
def command(
    captures: tuple[Path, ...],
    image: Path | None,
    rootfs: Path | None,
    weights: tuple[tuple[Path, int], ...],
    symbols: Path | None,
    debug: Path | None,
    output: Path,
    verbose: bool,
) -> Exit:
    if debug and not symbols:
        raise click.UsageError("--debug goes with --symbols")
    if strange := {path for path, _ in weights} - set(captures):
        raise click.UsageError(f"--weight {min(map(str, strange))}: not one of the captures")
    refuse_inputs(output, [*captures, *([image] if image else [])])
    for folder in filter(None, (symbols, debug, rootfs)):
        refuse_inside(output, folder)
    found: list[ToldMatch] = []

    def on_told(name: str, told: ToldMatch) -> None:
        found.append(told)
        show_told(name, told, everything=verbose)

    profile, whole = merge_files(captures, means_of(image, rootfs, on_told), dict(weights))
    if rootfs:
        _check_rootfs(rootfs, found)
    if symbols:
        profile = _with_symbols(profile, Tree.from_directory(symbols, any_owner=True), debug)
    write_result(output, dump_profile(profile).encode("ascii"))
    for boot in profile.boots:
        if boot.losses:
            click.echo(f"tinyprof: {shown(boot_text(boot))}", err=True)
    pages = sum(len(file.pages) for file in profile.files)
    images = len({boot.fsid for boot in profile.boots})
    files = counted(len(profile.files), "file")
    click.echo(
        f"{shown(str(output))}: {counted(pages, 'page')} of {files}, "
        f"{counted(profile.epochs, 'epoch')} in {counted(len(profile.boots), 'boot')}"
        + (f" of {images} images, merged by content" if images > 1 else ""),
        err=True,
    )
    return Exit.OK if whole else Exit.LOSS_OR_STALE


def _check_rootfs(rootfs: Path, found: Sequence[ToldMatch]) -> None:
    """Raises ProfileError for a folder that resolved nothing."""
    if not found:
        raise ProfileError(
            "no capture here tells files of other file systems, so --rootfs is of no use",
            "leave it out; --symbols ROOTFS keeps the places of functions",
        )
    if any(told.absent_pages for told in found) and not any(told.placed for told in found):
        raise ProfileError(
            f"{rootfs}: none of the files that the target told is in it",
            "give the folder of the root filesystem that the target ran",
        )


def _with_symbols(profile: Profile, tree: Tree, debug: Path | None) -> Profile:
    wanted = {file.sha256: file.path for file in profile.files}
    sizes = {file.size for file in profile.files}
    contents: dict[str, tuple[bytes, bytes]] = {}
    for node in tree.files():
        if node.size in sizes:
            content = node.content()
            digest = hashlib.sha256(content).hexdigest()
            if digest in wanted:
                separate = debug / f"{node.path[1:]}.debug" if debug else None
                contents[digest] = (
                    content,
                    separate.read_bytes() if separate and separate.exists() else b"",
                )
    missing = [path for digest, path in wanted.items() if digest not in contents]
    if len(missing) > 1 and not contents:
        click.echo(f"tinyprof: {nothing_found(len(wanted), 'the --symbols tree')}", err=True)
        return profile
    for path in missing:
        click.echo(
            f"tinyprof: {shown(path)}: not in the tree as it was recorded; no symbols", err=True
        )
    return with_symbols(profile, contents)
