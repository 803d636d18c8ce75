# SPDX-License-Identifier: MIT
"""tinyprof image diff: two images compared, and held to limits."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.building.riscv_code import RISCV_CODE
from tinyprof.cli.results import write_result
from tinyprof.cli.stale import MAX_STALE, StaleProfileError
from tinyprof.cli.types import LIMIT
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.cramfs.reading.reader import open_image
from tinyprof.disk import read_limited, refuse_inputs
from tinyprof.errors import about
from tinyprof.profile.model import Profile
from tinyprof.report.images.account import (
    ACCOUNT_MAX,
    ImageAccount,
    account_of,
    dump_account,
    load_account,
)
from tinyprof.report.images.comparison import PACKAGES_MAX, Comparison, compare, load_packages
from tinyprof.report.images.limits import (
    BUDGET_MAX,
    RAM,
    TOTAL,
    Breach,
    Limit,
    SizeRule,
    breaches,
    read_budget,
    rules_of,
)
from tinyprof.report.images.text import (
    breach_text,
    comparison_fields,
    markdown_lines,
    text_lines,
)
from tinyprof.text import shown

FILE = click.Path(path_type=Path)


@click.command(
    "diff",
    short_help="Compare two images, and hold the change to limits.",
    help="Compare the image OLD with the image NEW, or a saved account with one image: bytes by "
    "cause, paths, pages in place, and with a profile the predicted page cache. Ends with 3 if a "
    "limit is exceeded, and with 1 if there can be no report.",
    epilog="Example: tinyprof image diff --max-growth 1% --profile boot.tprof old.cramfs "
    "new.cramfs",
)
@click.argument("images", metavar="[OLD] NEW", type=FILE, nargs=-1, required=True)
@click.option(
    "-p",
    "--profile",
    "profiles",
    type=FILE,
    multiple=True,
    help="Profile, or a capture in its place, that predicts the page cache. Several are merged.",
)
@click.option(
    "--kernel",
    type=click.Choice(KERNEL_MODELS),
    default="patched",
    show_default=True,
    help="Kernel for which the page cache is predicted.",
)
@RISCV_CODE
@click.option(
    "--max-growth",
    type=LIMIT,
    multiple=True,
    help="Limit of the image's growth: 1%, 64K or 0; <=24M limits its size. May be repeated.",
)
@click.option(
    "--max-ram-growth",
    type=LIMIT,
    multiple=True,
    help="Limit of the growth of the predicted page cache: 1%, 32K or 0. Needs --profile.",
)
@click.option(
    "--budget", type=FILE, help="File of limits: for the image, RAM, paths and packages."
)
@click.option(
    "--packages", type=FILE, help="Buildroot's file-size-stats.csv, which tells packages."
)
@MAX_STALE
@click.option("--save", type=FILE, help="Write an account of NEW to this file, for --against.")
@click.option("--against", type=FILE, help="Compare with this account, in place of OLD.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="Form of the report on stdout.",
)
@click.option("-v", "verbose", is_flag=True, help="Show all paths.")
def command(
    images: Sequence[Path],
    profiles: Sequence[Path],
    kernel: KernelModel,
    riscv_code: bool,
    max_growth: Sequence[Limit],
    max_ram_growth: Sequence[Limit],
    budget: Path | None,
    packages: Path | None,
    max_stale: float | None,
    save: Path | None,
    against: Path | None,
    form: str,
    verbose: bool,
) -> Exit:
    rules = list(rules_of([(TOTAL, max_growth), (RAM, max_ram_growth)]))
    _check(images, against, save, bool(rules or budget))
    inputs = [path for path in (*images, *profiles, budget, packages, against) if path]
    if save:
        refuse_inputs(save, inputs)
    if budget:
        rules += _budget(budget)
    profile = _profile(profiles)
    account = functools.partial(_account, profile=profile, kernel=kernel, riscv_code=riscv_code)
    new = account(images[-1])
    _check_stale(new, max_stale)
    found = None
    if against or len(images) == 2:
        old = _saved(against) if against else account(images[0])
        found = compare(old, new, _packages(packages))
    exceeded = breaches(found, rules) if found else []
    if found:
        _show(found, exceeded if rules else None, form, verbose)
    if save:
        write_result(save, dump_account(new).encode("ascii"))
    return Exit.LOSS_OR_STALE if exceeded else Exit.OK


def _check(images: Sequence[Path], against: Path | None, save: Path | None, limited: bool) -> None:
    """Raise click.UsageError for arguments that make no sense together."""
    if len(images) > 2 or (against and len(images) == 2):
        raise click.UsageError("compare OLD with NEW, or --against an account with NEW")
    if len(images) == 1 and not against:
        if not save:
            raise click.UsageError("there is nothing to compare NEW with: name OLD or --against")
        if limited:
            raise click.UsageError("limits need something to compare with: name OLD or --against")


def _profile(paths: Sequence[Path]) -> Profile | None:
    if not paths:
        return None
    # A comparison without a profile does not wait for these.
    from tinyprof.cli.opening import open_profile  # noqa: PLC0415

    return open_profile(paths)


def _account(
    path: Path, profile: Profile | None, kernel: KernelModel, riscv_code: bool
) -> ImageAccount:
    image = open_image(path)
    with about(shown(str(path))):
        return account_of(image, path.name, profile, kernel, riscv_code=riscv_code)


def _saved(path: Path) -> ImageAccount:
    text = read_limited(path, ACCOUNT_MAX).decode("utf-8", "replace")
    with about(shown(str(path))):
        return load_account(text)


def _budget(path: Path) -> list[SizeRule]:
    text = read_limited(path, BUDGET_MAX).decode("utf-8", "surrogateescape")
    with about(shown(str(path))):
        return read_budget(text)


def _packages(path: Path | None) -> dict[str, str] | None:
    if path is None:
        return None
    text = read_limited(path, PACKAGES_MAX).decode("utf-8", "surrogateescape")
    with about(shown(str(path))):
        return load_packages(text)


def _check_stale(account: ImageAccount, limit: float | None) -> None:
    """Raise StaleProfileError if too large a share of the profile is not in the image."""
    if limit is None:
        return
    use = account.use
    if use is None:
        raise click.UsageError("--max-stale needs --profile")
    if use.stale > limit * use.used:
        raise StaleProfileError(
            f"{use.stale} of the profile's {use.used} used pages are not found any more, over "
            f"{100 * limit:g} %",
            "record the present build, or merge a recording of it into the profile",
        )


def _show(found: Comparison, exceeded: Sequence[Breach] | None, form: str, verbose: bool) -> None:
    """Print the report. `exceeded` is None where nothing was limited."""
    if form == "json":
        click.echo(json.dumps(comparison_fields(found, exceeded or ())))
    elif form == "markdown":
        for line in markdown_lines(found, exceeded):
            click.echo(line)
    else:
        for line in text_lines(found, exceeded or (), verbose=verbose):
            click.echo(line)
    sys.stdout.flush()
    if form != "text":
        for breach in exceeded or ():
            click.echo(f"tinyprof: {shown(breach_text(breach))}", err=True)
