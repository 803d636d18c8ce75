# SPDX-License-Identifier: MIT
"""tinyprof plan: the pages that a budget of flash should buy."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.bar import Bar
from tinyprof.cli.building.block_cache import open_cache
from tinyprof.cli.building.compressing import COMPRESSOR, chosen_compressor, compressor_fields
from tinyprof.cli.building.riscv_code import RISCV_CODE, refuse_split_riscv
from tinyprof.cli.completion import PROFILES, files_ending
from tinyprof.cli.opening import open_profile
from tinyprof.cli.results import write_result
from tinyprof.cli.stale import MAX_STALE, check_stale, show_match
from tinyprof.cli.types import Bytes
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.compressor import CompressorName, default_compressor
from tinyprof.cramfs.writing.writer import WriteOptions
from tinyprof.disk import refuse_inputs, refuse_inside
from tinyprof.errors import TinyprofError
from tinyprof.plan.ordering.bound import Bound, as_if_ordered, bounds
from tinyprof.plan.plan_file import dump_plan
from tinyprof.plan.planner import Budget, BudgetError, Plan, Planner
from tinyprof.profile.model import FileUse, NamedRange, Profile
from tinyprof.report.html.svg import curve_picture
from tinyprof.report.link_order import ordered_document, ordered_lines
from tinyprof.report.plans import (
    KNEE,
    curve_document,
    curve_lines,
    curve_points,
    plan_document,
    plan_lines,
)
from tinyprof.rootfs.landmarks import read_symbols
from tinyprof.rootfs.match import FoundFile, Match, match
from tinyprof.segments.split_tree import Prices, Splitting
from tinyprof.text import shown

FILE = click.Path(path_type=Path)
CURVE_POINTS = 10


BYTES = Bytes()


@click.command(
    help="Choose the pages of ROOTFS to store in place by a profile, and predict the image's size "
    "and page cache.",
    epilog="Example: tinyprof plan rootfs/ -p boot.tprof --flash-budget 600K -o boot.plan",
)
@click.argument("rootfs", type=FILE)
@click.option(
    "-p",
    "--profile",
    "profiles",
    type=FILE,
    multiple=True,
    required=True,
    shell_complete=files_ending(PROFILES),
    help="Profile, or a capture in its place. Several are merged.",
)
@click.option(
    "--kernel",
    type=click.Choice(KERNEL_MODELS),
    help="Kernel that maps the pages.  [default: patched, or mainline with --split-segments]",
)
@RISCV_CODE
@click.option(
    "--split-segments",
    "splitting",
    is_flag=True,
    help="Split the segments of programs, so that a stock kernel maps scattered pages.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    help="Number of processes that map each file.  [default: as the profile counted, else 10]",
)
@click.option(
    "--max-runs", type=click.IntRange(1), help="Runs of pages in place in each file, at most."
)
@click.option(
    "--flash-budget", type=BYTES, help="Bytes by which the image may grow, at most: 300K, 1M."
)
@click.option("--image-size", type=BYTES, help="Bytes of the image, at most: 300K, 1M.")
@click.option(
    "--save-ram",
    type=BYTES,
    help="Bytes of page cache that the steady state is to need less, at least.",
)
@click.option(
    "--compare-size",
    "today",
    type=BYTES,
    help="Compare the planned image with one of this many bytes, such as today's squashfs.",
)
@click.option(
    "--curve",
    is_flag=True,
    help="Show the RAM that flash saves, for budgets from nothing to all.",
)
@click.option(
    "--ordered",
    metavar="PATH[=PAGES]",
    multiple=True,
    help="Tell too what would be if 'tinyprof order' had laid out this program on PAGES used "
    "pages. A PATH may have '=' in it if no digits are behind the last one.  [default: the fewest "
    "that its symbols allow]",
)
@click.option("--svg", type=FILE, help="With --curve: write the curve to this file, as a picture.")
@MAX_STALE
@click.option(
    "--level",
    type=click.IntRange(1, 12),
    default=6,
    show_default=True,
    help="Compression level, as in build.",
)
@COMPRESSOR
@click.option(
    "-o", "output", type=FILE, help="Write the plan to this file, for 'tinyprof build --plan'."
)
@click.option("-q", "squash", is_flag=True, help="Let root own everything, as in build.")
@click.option(
    "-v", "verbose", is_flag=True, help="Show all files, and the numbers of their pages."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(
    rootfs: Path,
    profiles: tuple[Path, ...],
    kernel: KernelModel | None,
    riscv_code: bool,
    splitting: bool,
    processes: int | None,
    max_runs: int | None,
    flash_budget: int | None,
    image_size: int | None,
    save_ram: int | None,
    today: int | None,
    curve: bool,
    ordered: tuple[str, ...],
    svg: Path | None,
    max_stale: float | None,
    level: int,
    compressor: CompressorName | None,
    output: Path | None,
    squash: bool,
    verbose: bool,
    as_json: bool,
) -> Exit:
    limits = (flash_budget, image_size, save_ram)
    _check(limits, curve, output, svg, today)
    refuse_split_riscv(riscv_code, splitting)
    if ordered and curve:
        raise click.UsageError("--ordered and --curve exclude one another")
    how = _splitting(kernel, max_runs, processes, splitting)
    for path in filter(None, (output, svg)):
        refuse_inputs(path, profiles)
        refuse_inside(path, rootfs)
    tree = Tree.from_directory(rootfs, squash=squash)
    profile = open_profile(profiles, tree=tree)
    found = _found(profile, tree, processes)
    check_stale(found, max_stale)
    denser = _denser(profile, found, ordered)
    model: KernelModel = kernel or ("mainline" if splitting else "patched")
    packer = chosen_compressor(compressor)
    options = WriteOptions(level=level, kernel=model, compressor=packer, riscv_code=riscv_code)
    plans = _plans(tree, found, options, how, None if curve else Budget(*limits), denser)
    if output:
        write_result(output, dump_plan(plans[0].pages, options.kernel).encode("ascii"))
    if svg:
        write_result(svg, curve_picture(curve_points(plans)).encode())
    _show(plans, curve, today, options, denser, verbose=verbose, as_json=as_json)
    # A share of stale pages that the user allowed is nothing to look at.
    stale = found.counts.unmatched and max_stale is None
    return Exit.LOSS_OR_STALE if stale else Exit.OK


def _plans(
    tree: Tree,
    found: Match,
    options: WriteOptions,
    how: Splitting | None,
    budget: Budget | None,
    denser: Sequence[Bound],
) -> list[Plan]:
    """The plan for a budget, and behind it the one with `denser` programs if there are any; a
    curve of plans without a budget."""
    with contextlib.closing(open_cache(options.level, compressor=options.compressor)) as cache:
        with contextlib.closing(Bar("packing")) as bar:
            planner = Planner(tree, found, options, cache, splitting=how, progress=bar)
        plans = [planner.plan(budget)] if budget else _curve(planner)
        if budget and denser:
            as_if = as_if_ordered(found, {it.path: it.least for it in denser})
            planner = Planner(tree, as_if, options, cache, splitting=how)
            plans.append(planner.plan_or_nothing(budget))
        cache.save()
    return plans


def _found(profile: Profile, tree: Tree, processes: int | None) -> Match:
    """The profile's pages in the tree. Names on stderr the files that have changed."""
    found = match(profile, tree)
    if processes is not None:
        found = found.with_processes(processes)
    show_match(found)
    return found


def _ordered_programs(words: Sequence[str], paths: Container[str]) -> dict[str, int | None]:
    """The paths and numbers of pages of --ordered. `paths` are those of the profiled files.

    1. A word without "=" is a path.
    2. If the last "=" has digits behind it, these are the number of pages.
    3. Any other word is a path too, if the profile has a file of that name.
    4. Else it is a mistake. Raises click.UsageError.
    """
    programs: dict[str, int | None] = {}
    for text in words:
        path, equals, pages = text.rpartition("=")
        if not equals or (not pages.isdecimal() and text in paths):
            programs[text] = None
        elif pages.isdecimal() and len(pages) < 10 and int(pages):
            programs[path] = int(pages)
        else:
            raise click.UsageError(f"--ordered {text}: {pages or 'nothing'} is no number of pages")
    return programs


def _denser(profile: Profile, found: Match, ordered: Sequence[str]) -> list[Bound]:
    """The programs that are to be planned as if they were ordered.

    Raises TinyprofError for one that the profile does not have, or of which no symbols are known,
    and click.UsageError for a wrong number of pages.
    """
    if not ordered:
        return []
    nodes = {file.node.path: file for file in found.files}
    wanted = _ordered_programs(ordered, nodes)

    def symbols_of(file: FileUse) -> Sequence[NamedRange]:
        # Symbols are slow to read, and a number of pages makes them needless.
        needed = wanted.get(file.path, 0) is None
        return _symbols(file, nodes) if needed else ()

    known = {it.path: it for it in bounds(profile, symbols_of)}
    denser = []
    for path, pages in wanted.items():
        if path not in nodes:
            raise TinyprofError(f"--ordered {path}: no used pages of such a file", "see 'report'")
        used = sum(use.mapped is not None for use in nodes[path].uses.values())
        if pages is None and path not in known:
            raise TinyprofError(
                f"--ordered {path}: no symbols of it are known",
                "name its pages, or keep its symbols with 'tinyprof profile --symbols'",
            )
        least = known[path].least if pages is None else pages
        denser.append(Bound(path, used, min(least, used)))
    return denser


def _symbols(file: FileUse, nodes: Mapping[str, FoundFile]) -> Sequence[NamedRange]:
    """The symbols that the profile keeps of a file, else those in the tree."""
    if file.symbols or file.path not in nodes:
        return file.symbols
    return read_symbols(nodes[file.path].node.content())


def _check(
    limits: Sequence[int | None],
    curve: bool,
    output: Path | None,
    svg: Path | None,
    today: int | None,
) -> None:
    """Raise click.UsageError for options that contradict one another."""
    if sum(limit is not None for limit in limits) + curve > 1:
        raise click.UsageError(
            "--flash-budget, --image-size, --save-ram and --curve exclude one another"
        )
    if curve and output:
        raise click.UsageError("--curve makes several plans; -o writes one")
    if svg and not curve:
        raise click.UsageError("--svg goes with --curve")
    if today is not None and (curve or not today):
        raise click.UsageError("--compare-size takes the bytes of one image, and no --curve")


def _splitting(
    kernel: KernelModel | None, max_runs: int | None, processes: int | None, splitting: bool
) -> Splitting | None:
    """How to split, if at all. Raises click.UsageError for options that contradict one another."""
    if not splitting:
        if processes is not None or max_runs is not None:
            raise click.UsageError("--max-runs and --processes go with --split-segments")
        return None
    if kernel not in (None, "mainline"):
        raise click.UsageError(f"--split-segments is for --kernel mainline, not for {kernel}")
    return Splitting(Prices(), max_runs)


def _curve(planner: Planner) -> list[Plan]:
    """Plans from nothing to all that pays, in even steps of flash, and the one at the knee."""
    with contextlib.closing(Bar("planning")) as bar:
        return _curve_points(planner, bar)


def _curve_points(planner: Planner, progress: Bar) -> list[Plan]:
    everything = planner.plan(Budget())
    most = everything.prediction.image - planner.image_before
    budgets = sorted({most * step // CURVE_POINTS for step in range(1, CURVE_POINTS)})
    plans = [everything]
    for done, budget in enumerate(filter(None, budgets), 1):
        progress(done, len(budgets) + 1)
        plans.append(planner.plan_or_nothing(Budget(flash=budget)))
    if not everything.value:
        return plans
    with contextlib.suppress(BudgetError):
        knee = planner.plan(Budget(ram=round(KNEE * everything.value)))
        if knee.prediction not in [plan.prediction for plan in plans]:
            plans.append(knee)
    return sorted(plans, key=lambda plan: plan.prediction.image)


def _show(
    plans: Sequence[Plan],
    curve: bool,
    today: int | None,
    options: WriteOptions,
    denser: Sequence[Bound],
    *,
    verbose: bool,
    as_json: bool,
) -> None:
    if as_json:
        document = curve_document(plans) if curve else plan_document(plans[0], today)
        document |= ordered_document(plans[0], plans[-1], denser) if denser else {}
        compressor = options.compressor or default_compressor()
        document["compressor"] = compressor_fields(compressor, options.level, options.zopfli)
        click.echo(json.dumps(document))
        return
    for line in curve_lines(plans) if curve else plan_lines(plans[0], today, verbose=verbose):
        click.echo(shown(line))
    for line in ordered_lines(plans[0], plans[-1], denser) if denser else ():
        click.echo(shown(line))
