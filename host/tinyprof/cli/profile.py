# SPDX-License-Identifier: MIT
"""tinyprof profile"""

from __future__ import annotations

from pathlib import Path

import click

from tinyprof.capture import read_capture
from tinyprof.cli.output import replace_file
from tinyprof.cramfs import read_image
from tinyprof.profile import dump_profile, make_profile


@click.command(help="Resolve and merge CAPTURES of the image that was in flash.")
@click.argument("captures", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--image", required=True, type=click.Path(path_type=Path), help="The image that was in flash.")
@click.option("-o", "output", required=True, type=click.Path(path_type=Path))
def command(captures: tuple[Path, ...], image: Path, output: Path) -> None:
    read = [read_capture(path.read_bytes()) for path in captures]
    for path, capture in zip(captures, read, strict=True):
        if capture.cut_at is not None:
            click.echo(f"tinyprof: {path}: cut short at byte {capture.cut_at}; used up to there", err=True)
    profile = make_profile(read, read_image(image.read_bytes()))
    replace_file(output, dump_profile(profile).encode())
    pages = sum(len(file.pages) for file in profile.files)
    click.echo(f"{output}: {pages} pages of {len(profile.files)} files, {profile.epochs} epochs", err=True)
