# SPDX-License-Identifier: MIT
"""tinyprof build: mkcramfs's letters with mkcramfs's meanings, and the choice of pages in
place."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.bar import Bar
from tinyprof.cli.block_cache import open_cache
from tinyprof.cli.stale import MAX_STALE, check_stale
from tinyprof.cramfs.format import ByteOrder
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.cramfs.programs import program_pages
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.cache import DiskCache
from tinyprof.cramfs.writing.compressor import choose_compressor
from tinyprof.cramfs.writing.device_table import apply_device_table
from tinyprof.cramfs.writing.explain import explain
from tinyprof.cramfs.writing.packer import compressed_size_of
from tinyprof.cramfs.writing.writer import WriteOptions, Written, write_image
from tinyprof.disk import replace_file
from tinyprof.errors import TinyprofError
from tinyprof.pages import page_ranges
from tinyprof.plan.plan_file import PlanError, load_plan
from tinyprof.segments.split_tree import (
    AS_PLANNED,
    Prices,
    SplitFile,
    SplitTree,
    StoredSize,
    split_tree,
)
from tinyprof.text import counted, shown

FILE = click.Path(path_type=Path)
LISTED_MAX = 20
EDITION_MAX = (1 << 32) - 1
BYTE_ORDERS: dict[str, ByteOrder] = {"L": "little", "B": "big"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The tree to build with the pages to store in place, and the profiled files that the tree
    does not have as they were recorded."""

    made: SplitTree
    stale: tuple[str, ...] = ()


def _splitting(
    kernel: KernelModel | None,
    profile: bool,
    plan: bool,
    max_runs: int | None,
    processes: int | None,
) -> Prices:
    """The prices of splitting. Raises click.UsageError for options that contradict one another."""
    if kernel not in (None, "mainline"):
        raise click.UsageError(f"--split-segments is for --kernel mainline, not for {kernel}")
    if plan and (max_runs is not None or processes is not None):
        raise click.UsageError(
            "--plan lists the pages; --max-runs and --processes choose them by --profile"
        )
    if plan:
        return AS_PLANNED
    if not profile:
        raise click.UsageError(
            "--split-segments needs --profile or --plan to know the pages to map in place"
        )
    return Prices()


def _profiled(
    tree: Tree,
    profile: Path,
    max_stale: float | None,
    processes: int | None,
    kernel: KernelModel,
    sizes: StoredSize,
    prices: Prices | None,
    max_runs: int | None,
) -> Wanted:
    """The choice of a plan without a budget."""
    # What reads profiles takes longer to import than a small image to build.
    from tinyprof.cli.opening import open_profile  # noqa: PLC0415
    from tinyprof.plan.selection import Splitting, choose_by_profile  # noqa: PLC0415
    from tinyprof.rootfs.match import match  # noqa: PLC0415

    found = match(open_profile([profile]), tree)
    check_stale(found, max_stale)
    if processes is not None:
        found = found.with_processes(processes)
    splitting = Splitting(prices, max_runs) if prices else None
    return Wanted(choose_by_profile(tree, found, sizes, kernel, splitting), found.stale)


def _listed(
    tree: Tree, plan: Path | None, programs: int, sizes: StoredSize, prices: Prices | None
) -> Wanted:
    pages: Mapping[str, Collection[int]] = program_pages(tree) if programs else {}
    if plan:
        try:
            pages = load_plan(plan.read_text(errors="replace"))
        except PlanError as error:
            raise PlanError(f"{plan}: {error.message}", error.hint) from None
    if prices:
        return Wanted(split_tree(tree, pages, sizes, prices))
    return Wanted(SplitTree(tree, pages))


def _tree(rootfs: Path, table: Path | None, squash: bool) -> Tree:
    tree = Tree.from_directory(rootfs, squash=squash)
    # The table's owners are meant as they are, so it comes after squashing.
    return apply_device_table(tree, table.read_text(errors="surrogateescape")) if table else tree


def _build(made: SplitTree, options: WriteOptions, cache: DiskCache | None) -> Written:
    with contextlib.closing(Bar("compressing")) as bar:
        written = write_image(made.tree, made.pages, options, bar, cache)
    if cache:
        cache.save()
    return written


def _complaints(wanted: Wanted, written: Written) -> list[str]:
    """What a profile or plan names and the tree has not."""
    complaints = [
        f"{shown(path)}: missing or changed since the profile; used pages of it are compressed"
        for path in wanted.stale
    ]
    missing: dict[tuple[str, str], list[int]] = {}
    for refusal in written.refused:
        if refusal.missing:
            missing.setdefault((refusal.path, refusal.reason), []).append(refusal.page)
    for (path, reason), pages in missing.items():
        complaints.append(f"{shown(path)}: page {page_ranges(pages)}: {reason}")
    return complaints


def _show_nodes(tree: Tree) -> None:
    for node in tree.walk():
        owner = f"{node.uid:5}:{node.gid:<3}"
        device = f"{node.device >> 8:4},{node.device & 255:4}" if node.device else f"{node.size:9}"
        click.echo(f"{stat.filemode(node.mode)} {device} {owner} {shown(node.path)}", err=True)


def _show_explanation(made: SplitTree, written: Written, prices: Prices | None) -> None:
    tree = made.tree
    explained = explain(tree, written)
    split = {file.path: file for file in made.files}
    for file in explained:
        here = f": {page_ranges(file.in_place)}" if file.in_place else ""
        click.echo(
            f"{shown(file.path)}: {len(file.in_place)} of {file.pages} pages in place{here}"
        )
        for reason, refused in file.refused:
            click.echo(f"    {page_ranges(refused)}: {reason}")
        if file.unplanned:
            click.echo(f"    {file.unplanned} others are not in the plan")
        _show_split(split.get(file.path), made.whole.get(file.path), prices)
    paths = {file.path for file in explained}
    others = [node for node in tree.files() if node.path not in paths]
    pages = sum(node.pages for node in others)
    click.echo(f"{len(others)} other files of {pages} pages are not in the plan")


def _show_split(file: SplitFile | None, whole: str | None, prices: Prices | None) -> None:
    if whole:
        click.echo(f"    left whole: {shown(whole)}")
    if not file or not prices:
        return
    grown = (
        f", {file.size - file.source_size} bytes longer" if file.size > file.source_size else ""
    )
    click.echo(f"    split: {counted(file.mappings, 'mapping')} more{grown}")
    if prices != AS_PLANNED:
        click.echo(f"    {prices.weighing(file.processes)}")
    if file.bridged:
        click.echo(f"    {page_ranges(file.bridged)}: cold, in place to save mappings")
    if file.lonely:
        click.echo(f"    {page_ranges(file.lonely)}: hot, not worth a mapping")


def _fields(
    image: Path, made: SplitTree, wanted: Wanted, written: Written, explained: bool
) -> dict[str, object]:
    fields: dict[str, object] = {
        "image": str(image),
        "size": len(written.image),
        "pages_in_place": written.xip_pages,
        "refused": [
            {
                "path": refusal.path,
                "page": refusal.page,
                "reason": refusal.reason,
                "missing": refusal.missing,
            }
            for refusal in written.refused
        ],
        "stale": list(wanted.stale),
    }
    if explained:
        fields["files"] = [
            {
                "path": file.path,
                "pages": file.pages,
                "in_place": file.in_place,
                "unplanned": file.unplanned,
            }
            for file in explain(made.tree, written)
        ]
    if made.files or made.whole:
        fields["split"] = [asdict(file) for file in made.files]
        fields["left_whole"] = dict(made.whole)
    return fields


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Build IMAGE from the folder ROOTFS, all compressed but for the pages chosen.",
)
@click.argument("rootfs", type=FILE)
@click.argument("image", type=FILE)
@click.option("--profile", type=FILE, help="Store in place what it finds hot.")
@click.option("--plan", "plan_file", type=FILE, help="Store in place what it lists.")
@click.option(
    "-X", "programs", count=True, help="Store programs in place; twice: for systems with an MMU."
)
@click.option(
    "--kernel", type=click.Choice(KERNEL_MODELS), help="Who maps the pages.  [default: patched]"
)
@click.option(
    "--split-segments", "splitting", is_flag=True, help="Let a stock kernel map scattered pages."
)
@click.option("--max-runs", type=click.IntRange(1), help="Runs in place of each file, at most.")
@click.option(
    "--processes",
    type=click.IntRange(1),
    help="That map each file.  [as the profile counted, else 10]",
)
@click.option(
    "--explain", "explained", is_flag=True, help="Say what is in place and why not more."
)
@click.option("--level", type=click.IntRange(1, 12), default=6, show_default=True, help="Effort.")
@click.option("--zopfli", is_flag=True, help="Smaller than --level 12, and very slow.")
@click.option(
    "--no-cache", is_flag=True, help="Neither use nor keep compressed blocks of other builds."
)
@click.option("--jobs", type=click.IntRange(0), default=0, help="Threads.  [default: cores]")
@click.option(
    "-n", "name", default="Compressed", show_default=True, help="The image's name, 16 bytes."
)
@click.option(
    "-e", "edition", type=click.IntRange(0, EDITION_MAX), default=0, help="The image's edition."
)
@click.option("-D", "table", type=FILE, help="Add the devices of this device table.")
@click.option("-q", "squash", is_flag=True, help="Make everything owned by root.")
@click.option("-p", "pad", is_flag=True, help="Leave 512 bytes for boot code in front.")
@click.option("-i", "insert", type=FILE, help="Insert this file behind the superblock.")
@click.option("-z", "holes", is_flag=True, help="Store pages of zeros as holes.")
@click.option(
    "-x", "extended", is_flag=True, help="Use block pointers of Linux 4.15: equal pages once."
)
@click.option("-B", "order", flag_value="B", help="Build for a big-endian target.")
@click.option("-L", "order", flag_value="L", help="Build for a little-endian target.  [default]")
@MAX_STALE
@click.option(
    "-E", "--strict", is_flag=True, help="Fail if a plan or profile names what is not there."
)
@click.option("-v", "verbose", count=True, help="List what goes in; twice: explain it too.")
@click.option("-s", "_sorted", is_flag=True, hidden=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(
    rootfs: Path,
    image: Path,
    profile: Path | None,
    plan_file: Path | None,
    programs: int,
    kernel: KernelModel | None,
    splitting: bool,
    max_runs: int | None,
    processes: int | None,
    explained: bool,
    level: int,
    zopfli: bool,
    no_cache: bool,
    jobs: int,
    name: str,
    edition: int,
    table: Path | None,
    squash: bool,
    pad: bool,
    insert: Path | None,
    holes: bool,
    extended: bool,
    order: str | None,
    max_stale: float | None,
    strict: bool,
    verbose: int,
    _sorted: bool,
    as_json: bool,
) -> Exit:
    if sum(map(bool, (profile, plan_file, programs))) > 1:
        raise click.UsageError("--profile, --plan and -X exclude one another")
    if len(os.fsencode(name)) > 16:
        raise click.UsageError(f"-n {name}: an image's name has at most 16 bytes")
    if (max_runs is not None or processes is not None) and not splitting:
        raise click.UsageError("--max-runs and --processes say how to --split-segments")
    how = (
        _splitting(kernel, bool(profile), bool(plan_file), max_runs, processes)
        if splitting
        else None
    )
    tree = _tree(rootfs, table, squash)
    options = WriteOptions(
        name=name,
        level=level,
        edition=edition,
        byte_order=BYTE_ORDERS[order or "L"],
        kernel=kernel or ("mainline" if how else "nommu" if programs == 1 else "patched"),
        extended=extended or programs > 0,
        holes=holes,
        pad=pad,
        insert=insert.read_bytes() if insert else b"",
        zopfli=zopfli,
        threads=jobs,
    )
    if verbose:
        _show_nodes(tree)
    with (
        contextlib.nullcontext()
        if no_cache
        else contextlib.closing(open_cache(level, zopfli)) as cache
    ):
        sizes = compressed_size_of(choose_compressor(level, zopfli), cache)
        if profile:
            wanted = _profiled(
                tree, profile, max_stale, processes, options.kernel, sizes, how, max_runs
            )
        else:
            wanted = _listed(tree, plan_file, programs, sizes, how)
        made = wanted.made
        written = _build(made, options, cache)
    if cache and cache.problem:
        click.echo(f"tinyprof: cache unused: {cache.problem}", err=True)
    complaints = _complaints(wanted, written)
    _show_complaints(complaints)
    if strict and complaints:
        raise TinyprofError(
            f"{len(complaints)} files or pages are not there; no image written", "see above"
        )
    replace_file(image, written.image)
    if as_json:
        click.echo(json.dumps(_fields(image, made, wanted, written, explained)))
    elif explained or verbose > 1:
        _show_explanation(made, written, how)
    _show_result(image, made, written)
    return Exit.LOSS_OR_STALE if complaints else Exit.OK


def _show_complaints(complaints: list[str]) -> None:
    for complaint in complaints[:LISTED_MAX]:
        click.echo(f"tinyprof: {complaint}", err=True)
    if len(complaints) > LISTED_MAX:
        click.echo(
            f"tinyprof: and {len(complaints) - LISTED_MAX} more; --json lists them all", err=True
        )


def _show_result(image: Path, made: SplitTree, written: Written) -> None:
    refused = sum(not refusal.missing for refusal in written.refused)
    left = f"; {refused} pages of the plan are not, --explain says why" if refused else ""
    click.echo(
        f"{image}: {len(written.image)} bytes, {written.xip_pages} pages in place{left}", err=True
    )
    if made.files or made.whole:
        mappings = sum(file.mappings for file in made.split_once)
        left = counted(len(made.whole_once), "hot file")
        whole = f"; {left} left whole, --explain says why" if made.whole else ""
        click.echo(
            f"{image}: {counted(len(made.split_once), 'file')} split, "
            f"{counted(mappings, 'mapping')} more{whole}",
            err=True,
        )
