# SPDX-License-Identifier: MIT
"""tinyprof build: the letters of mkcramfs with their meanings, and the choice of pages in
place."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from tinyprof.cli import Exit
from tinyprof.cli.bar import Bar
from tinyprof.cli.building.block_cache import open_cache
from tinyprof.cli.building.compressing import COMPRESSOR, chosen_compressor
from tinyprof.cli.building.gain import Gain, gain_of
from tinyprof.cli.building.result import (
    Built,
    Wanted,
    show_attributes,
    show_complaints,
    show_nodes,
)
from tinyprof.cli.building.riscv_code import RISCV_CODE
from tinyprof.cli.building.words import (
    BYTE_ORDERS,
    EDITION_MAX,
    STDOUT,
    Words,
    refuse_contradictions,
    splitting_of,
)
from tinyprof.cli.results import write_result
from tinyprof.cli.stale import MAX_STALE, check_stale
from tinyprof.cramfs.format import IMAGE_MAX, name_text
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.cramfs.links import with_hard_links
from tinyprof.cramfs.programs import program_pages
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.cache import DiskCache
from tinyprof.cramfs.writing.device_table import apply_device_table
from tinyprof.cramfs.writing.packer import BlockSizes, compressed_size_of
from tinyprof.cramfs.writing.writer import WriteOptions, image_size_of, write_image
from tinyprof.disk import read_limited, refuse_inputs, refuse_inside
from tinyprof.errors import TinyprofError, about
from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.plan_file import PLAN_MAX, read_plan
from tinyprof.segments.split_tree import Splitting, SplitTree, StoredSize, split_tree
from tinyprof.text import counted, shown

FILE = click.Path(path_type=Path)
TABLE_MAX = 4 << 20
"""Bytes of a device table. No table that is not too long by its entries has more."""


@click.command(
    help="Build IMAGE from the folder ROOTFS. All pages are compressed but the chosen ones, which "
    "are stored as they are, to be executed in place. - as IMAGE is standard output.",
    epilog="Example: tinyprof build --profile boot.tprof rootfs/ rootfs.cramfs",
)
@click.argument("rootfs", type=FILE)
@click.argument("image", type=FILE)
@click.option(
    "--profile",
    type=FILE,
    help="Store the pages that this profile finds hot uncompressed, to be executed in place.",
)
@click.option(
    "--plan",
    "plan_file",
    type=FILE,
    help="Store the pages that this plan lists uncompressed, to be executed in place.",
)
@click.option(
    "-X",
    "programs",
    count=True,
    help="Store all programs uncompressed, to be executed in place without an MMU; twice: "
    "with one.",
)
@click.option(
    "--kernel",
    type=click.Choice(KERNEL_MODELS),
    help="Kernel that will map the pages: patched has tinyprof's fault handler, mainline is a "
    "stock kernel, nommu a stock one without an MMU.  [default: patched]",
)
@RISCV_CODE
@click.option(
    "--split-segments",
    "splitting",
    is_flag=True,
    help="Split the segments of programs, so that a stock kernel maps scattered pages in place.",
)
@click.option(
    "--max-runs", type=click.IntRange(1), help="Most runs of pages in place that a file may have."
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    help="Number of processes that map each file.  [default: as the profile counted, else 10]",
)
@click.option(
    "--explain",
    "explained",
    is_flag=True,
    help="Say for each file which pages are in place, and why not more.",
)
@click.option(
    "--level",
    type=click.IntRange(1, 12),
    default=6,
    show_default=True,
    help="Compression level. 12 is the smallest and takes fifty times as long.",
)
@COMPRESSOR
@click.option("--zopfli", is_flag=True, help="Compress more than --level 12 does, very slowly.")
@click.option(
    "--no-cache", is_flag=True, help="Neither use nor keep compressed blocks of other builds."
)
@click.option(
    "--jobs", type=click.IntRange(0), default=0, help="Number of threads.  [default: one a core]"
)
@click.option(
    "-n",
    "name",
    default="Compressed",
    show_default=True,
    help="Name of the image, at most 16 bytes.",
)
@click.option(
    "-e",
    "edition",
    type=click.IntRange(0, EDITION_MAX),
    default=0,
    help="Edition number of the image.",
)
@click.option(
    "-D",
    "table",
    type=FILE,
    help="Add devices, and change owners and modes, by this device table.",
)
@click.option("-q", "squash", is_flag=True, help="Let root own everything.")
@click.option(
    "--hard-links",
    is_flag=True,
    help="Replace symbolic links to files of ROOTFS by hard links, which take no page cache.",
)
@click.option("-p", "pad", is_flag=True, help="Leave 512 bytes for boot code in front.")
@click.option("-i", "insert", type=FILE, help="Insert this file behind the superblock.")
@click.option("-z", "holes", is_flag=True, help="Store pages of zeros as holes.")
@click.option(
    "-x",
    "extended",
    is_flag=True,
    help="Use block pointers of Linux 4.15, which store equal pages once.",
)
@click.option("-B", "order", flag_value="B", help="Build for a big-endian target.")
@click.option("-L", "order", flag_value="L", help="Build for a little-endian target.  [default]")
@click.option(
    "-N",
    "endian",
    type=click.Choice(["big", "little", "host"]),
    help="Byte order of the target, as mkfs.cramfs of util-linux spells it.",
)
@click.option(
    "-b",
    "block_size",
    type=int,
    default=PAGE_SIZE,
    help="Block size, as mkfs.cramfs of util-linux spells it; only 4096 is possible.",
)
@MAX_STALE
@click.option(
    "-E",
    "--strict",
    is_flag=True,
    help="Fail if a plan or profile names files or pages that are not there.",
)
@click.option(
    "-v", "verbose", count=True, help="List the files that go in; twice: explain the image too."
)
@click.option("-s", "sorted_", is_flag=True, hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(rootfs: Path, image: Path, **options: Any) -> Exit:
    words = Words(**options)
    refuse_contradictions(image, words)
    splitting = splitting_of(words) if words.splitting else None
    refuse_inputs(image, words.inputs())
    if image != STDOUT:
        refuse_inside(image, rootfs)
    tree = _tree(rootfs, words)
    how = _write_options(words, splitting)
    with _cache(how, words.no_cache) as cache:
        sizes = compressed_size_of(how.compress(), cache)
        wanted = _wanted(tree, words, how.kernel, sizes, splitting)
        chosen = words.kernel is not None or splitting is not None
        built = _build(tree, wanted, how, cache, splitting, chosen)
    if cache and cache.problem:
        click.echo(f"tinyprof: cache unused: {shown(cache.problem)}", err=True)
    return _deliver(image, built, words)


def _tree(rootfs: Path, words: Words) -> Tree:
    """The root filesystem with the device table applied. Notes about it go to stderr."""
    tree = Tree.from_directory(rootfs, squash=words.squash, any_owner=words.table is not None)
    # The table's owners are meant as they are, so it comes after squashing.
    if words.table:
        text = name_text(read_limited(words.table, TABLE_MAX))
        tree = apply_device_table(tree, text)
        tree.check_owners()
    if words.hard_links:
        tree, links = with_hard_links(tree)
        click.echo(f"tinyprof: {counted(len(links), 'symbolic link')} replaced", err=True)
    if words.verbose:
        show_nodes(tree)
    show_attributes(tree, bool(words.verbose))
    return tree


def _write_options(words: Words, splitting: Splitting | None) -> WriteOptions:
    insert = read_limited(words.insert, IMAGE_MAX) if words.insert else b""
    without_mmu: KernelModel = "nommu" if words.programs == 1 else "patched"
    return WriteOptions(
        name=name_text(os.fsencode(words.name)),
        level=words.level,
        edition=words.edition,
        byte_order=BYTE_ORDERS[words.order or words.endian or "L"],
        kernel=words.kernel or ("mainline" if splitting else without_mmu),
        riscv_code=words.riscv_code,
        extended=words.extended or words.programs > 0,
        holes=words.holes,
        pad=words.pad,
        insert=insert,
        zopfli=words.zopfli,
        threads=words.jobs,
        compressor=chosen_compressor(words.compressor),
    )


@contextlib.contextmanager
def _cache(how: WriteOptions, unwanted: bool) -> Iterator[DiskCache | None]:
    if unwanted:
        yield None
        return
    with contextlib.closing(open_cache(how.level, how.zopfli, how.compressor)) as cache:
        yield cache


def _wanted(
    tree: Tree,
    words: Words,
    kernel: KernelModel,
    sizes: StoredSize,
    splitting: Splitting | None,
) -> Wanted:
    """The pages to store in place: by the profile, by the plan, or all pages of programs."""
    if words.profile:
        return _profiled(tree, words.profile, words, kernel, sizes, splitting)
    chooser = "the plan" if words.plan_file else "-X" if words.programs else ""
    pages: Mapping[str, Collection[int]] = program_pages(tree) if words.programs else {}
    chosen_for = None
    if words.plan_file:
        text = read_limited(words.plan_file, PLAN_MAX).decode("utf-8", "replace")
        with about(shown(str(words.plan_file))):
            plan = read_plan(text)
        pages, chosen_for = plan.pages, plan.kernel
    made = SplitTree(tree, pages)
    if splitting:
        made = split_tree(tree, pages, sizes, splitting.prices)
    return Wanted(made, chooser=chooser, chosen_for=chosen_for)


def _profiled(
    tree: Tree,
    profile: Path,
    words: Words,
    kernel: KernelModel,
    sizes: StoredSize,
    splitting: Splitting | None,
) -> Wanted:
    """The pages that a plan without a budget chooses."""
    # Profiles take longer to import than a small image takes to build.
    from tinyprof.cli.opening import open_profile  # noqa: PLC0415
    from tinyprof.plan.selection import choose_by_profile  # noqa: PLC0415
    from tinyprof.report.plans import nothing_found  # noqa: PLC0415
    from tinyprof.rootfs.match import match  # noqa: PLC0415

    found = match(open_profile([profile], tree=tree), tree)
    check_stale(found, words.max_stale)
    if words.processes is not None:
        found = found.with_processes(words.processes)
    made = choose_by_profile(tree, found, sizes, kernel, splitting, riscv_code=words.riscv_code)
    another = nothing_found(len(found.missing), "ROOTFS") if found.is_of_another_tree else ""
    allowed = words.max_stale is not None
    return Wanted(made, found.stale, another, allowed, "the profile", found=found)


def _build(
    tree: Tree,
    wanted: Wanted,
    options: WriteOptions,
    cache: DiskCache | None,
    splitting: Splitting | None,
    chosen: bool,
) -> Built:
    """Build the image. `chosen`: the user named the kernel that it is for."""
    made = wanted.made
    sizes = BlockSizes(cache) if any(made.pages.values()) else None
    with contextlib.closing(Bar("compressing")) as bar:
        written = write_image(made.tree, made.pages, options, bar, sizes or cache)
    gain = Gain(options.kernel, chosen, len(written.image))
    if sizes and written.xip_pages:
        before = image_size_of(tree, options, sizes)
        gain = gain_of(
            written.image,
            before,
            options.kernel,
            chosen,
            wanted.found,
            riscv_code=options.riscv_code,
        )
    if cache:
        cache.save()
    return Built(wanted, written, splitting, gain, options)


def _deliver(image: Path, built: Built, words: Words) -> Exit:
    """Write the image, and print the account of it.

    The text on standard output comes first: if nobody can take it, the old image stays as it was.
    """
    complaints = built.complaints()
    show_complaints(complaints)
    if words.strict and complaints:
        raise TinyprofError(
            f"{counted(len(complaints), 'complaint')}; no image written", "see above"
        )
    if words.as_json:
        click.echo(json.dumps(built.fields(image, words.explained)))
    elif words.explained or words.verbose > 1:
        for line in built.explanation():
            click.echo(line)
    sys.stdout.flush()
    if image == STDOUT:
        sys.stdout.buffer.write(built.written.image)
        sys.stdout.flush()
    else:
        write_result(image, built.written.image)
    for line in built.result(image):
        click.echo(line, err=True)
    return Exit.LOSS_OR_STALE if built.needs_a_look else Exit.OK
