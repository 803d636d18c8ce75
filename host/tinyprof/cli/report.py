# SPDX-License-Identifier: MIT
"""tinyprof report"""

from __future__ import annotations

from pathlib import Path

import click

from tinyprof.cli.output import shown
from tinyprof.plan import pays
from tinyprof.profile import dump_profile, load_profile


@click.command(help="Show the files of PROFILE with their used pages, most first.")
@click.argument("profile", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(profile: Path, as_json: bool) -> None:
    loaded = load_profile(profile.read_text(errors="replace"))
    if as_json:
        click.echo(dump_profile(loaded), nl=False)
        return
    click.echo(f"image {loaded.fsid}, kernel {shown(loaded.kernel)}, {loaded.epochs} epochs")
    click.echo("  used  worth XIP  of pages  file")
    for file in sorted(loaded.files, key=lambda file: (-len(file.pages), file.path)):
        worth = sum(pays(use) for use in file.pages.values())
        click.echo(f"{len(file.pages):6}{worth:11}{-(-file.size // 4096):10}  {shown(file.path)}")
