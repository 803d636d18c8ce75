# SPDX-License-Identifier: MIT
"""tinyprof build"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from tinyprof.cli import Exit
from tinyprof.cli.output import replace_file, shown
from tinyprof.cramfs import Tree, WriteOptions, write_image
from tinyprof.plan import HotPlan, plan_all, plan_hot
from tinyprof.profile import load_profile


def _plan(tree: Tree, profile: Path | None, everything: bool) -> HotPlan:
    if profile:
        return plan_hot(load_profile(profile.read_text(errors="replace")), tree)
    return HotPlan(plan_all(tree) if everything else {}, ())


@click.command(help="Build IMAGE from the folder ROOTFS, all compressed but for the pages chosen.")
@click.argument("rootfs", type=click.Path(path_type=Path))
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--profile", type=click.Path(path_type=Path), help="Store in place what it finds hot.")
@click.option("--xip-all", is_flag=True, help="Store every page of every ELF file in place.")
@click.option("--kernel", type=click.Choice(["patched", "mainline"]), default="patched", show_default=True)
@click.option("--level", type=click.IntRange(1, 12), default=9, show_default=True)
@click.option("-n", "name", default="Compressed", show_default=True, help="The image's name.")
@click.option("-e", "edition", type=click.IntRange(0, (1 << 32) - 1), default=0, help="The image's edition.")
def command(
    rootfs: Path,
    image: Path,
    profile: Path | None,
    xip_all: bool,
    kernel: Literal["patched", "mainline"],
    level: int,
    name: str,
    edition: int,
) -> Exit:
    if profile and xip_all:
        raise click.UsageError("--profile and --xip-all exclude each other")
    tree = Tree.from_directory(rootfs)
    plan = _plan(tree, profile, xip_all)
    written = write_image(tree, plan.pages, WriteOptions(name, level, edition, kernel=kernel))
    replace_file(image, written.image)
    for path in plan.stale:
        click.echo(f"tinyprof: {shown(path)}: missing or changed since the profile; all compressed", err=True)
    for refusal in written.refused:
        click.echo(f"tinyprof: {shown(refusal.path)}: page {refusal.page}: {refusal.reason}", err=True)
    click.echo(f"{image}: {len(written.image)} bytes, {written.xip_pages} pages in place", err=True)
    return Exit.LOSS_OR_STALE if plan.stale else Exit.OK
