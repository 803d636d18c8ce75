# SPDX-License-Identifier: MIT
"""tinyprof image"""

from __future__ import annotations

import json
from pathlib import Path

import click

from tinyprof.cli.output import shown
from tinyprof.cramfs import EntryKind, read_image


@click.group(help="Look into CramFS images.")
def command() -> None:
    pass


@command.command(help="Show an image's identity and what its pages cost.")
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def info(image: Path, as_json: bool) -> None:
    parsed = read_image(image.read_bytes())
    files = [entry for entry in parsed.entries if entry.kind is EntryKind.FILE]
    blocks = {block.offset: block for entry in files for block in parsed.blocks(entry)}.values()
    facts = {
        "name": parsed.superblock.name,
        "fsid": str(parsed.superblock.fsid),
        "byte_order": parsed.superblock.byte_order,
        "size": parsed.superblock.size,
        "files": len(files),
        "pages": sum(entry.pages for entry in files),
        "pages_in_place": sum(block.in_place for block in blocks),
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    for key, value in facts.items():
        click.echo(f"{key.replace('_', ' '):15} {shown(str(value))}")


@command.command(help="List what an image holds: mode, owner, size, pages in place, path.")
@click.argument("image", type=click.Path(path_type=Path))
def ls(image: Path) -> None:
    parsed = read_image(image.read_bytes())
    for entry in parsed.entries:
        in_place = sum(block.in_place for block in parsed.blocks(entry))
        owner = f"{entry.uid:5} {entry.gid:3}"
        click.echo(f"{entry.mode:06o} {owner} {entry.size:9} {in_place:5} {shown(entry.path)}")
