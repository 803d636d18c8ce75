# SPDX-License-Identifier: MIT
"""tinyprof image"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.bar import Bar
from tinyprof.cramfs.format import EntryKind, ImageError, SuperFlag
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.cramfs.reading.checker import Finding, Report, check_image
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.extractor import extract_image
from tinyprof.cramfs.reading.measure import measure
from tinyprof.cramfs.reading.reader import Image, read_image
from tinyprof.text import shown

SHOWN_FINDINGS = 50

offset_option = click.option(
    "--offset",
    type=click.IntRange(0),
    default=0,
    help="The byte at which the image begins, in a flash dump.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
image_argument = click.argument("image", type=click.Path(path_type=Path))


@click.group(help="Look into CramFS images.")
def command() -> None:
    pass


@command.command(help="Show an image's identity, its flags, and what takes its bytes.")
@image_argument
@offset_option
@json_option
def info(image: Path, offset: int, as_json: bool) -> None:
    facts = _facts(_opened(image, offset))
    if as_json:
        click.echo(json.dumps(facts))
        return
    for key, value in facts.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        click.echo(f"{key.replace('_', ' '):17} {shown(text)}")


def _opened(path: Path, offset: int) -> Image:
    """The image in a file, which its errors name."""
    try:
        return read_image(path.read_bytes(), offset)
    except ImageError as error:
        raise ImageError(f"{path}: {error.message}", error.hint) from None


def _facts(image: Image) -> dict[str, object]:
    superblock = image.superblock
    files = [entry for entry in image.entries if entry.kind is EntryKind.FILE]
    share = measure(image)
    return {
        "name": superblock.name,
        "fsid": str(superblock.fsid),
        "byte_order": superblock.byte_order,
        "size": superblock.size,
        "boot_padding": superblock.offset,
        "flags": [flag.name for flag in SuperFlag if flag in superblock.flags],
        "files": len(files),
        "directories": sum(entry.kind is EntryKind.DIRECTORY for entry in image.entries),
        "symlinks": sum(entry.kind is EntryKind.SYMLINK for entry in image.entries),
        "others": sum(not entry.kind.has_data for entry in image.entries),
        "content_bytes": sum(entry.size for entry in files),
        "pages": sum(entry.pages for entry in files),
        "pages_in_place": share.in_place_pages,
        "in_place_bytes": share.in_place,
        "in_place_percent": round(100 * share.in_place / superblock.size, 1),
        "compressed_bytes": share.compressed,
        "uncompressed_bytes": share.uncompressed,
        "pointer_bytes": share.pointers,
        "name_bytes": share.names,
        "holes": share.holes,
    }


@command.command(
    help="List what an image holds, one path a line; with -l mode, owner, size and pages in place."
)
@image_argument
@offset_option
@click.option("-l", "long", is_flag=True, help="Everything about each.")
@json_option
def ls(image: Path, offset: int, long: bool, as_json: bool) -> None:
    parsed = _opened(image, offset)
    if as_json:
        click.echo(json.dumps([_entry_fields(parsed, entry) for entry in parsed.entries]))
        return
    for entry in parsed.entries:
        click.echo(_long(parsed, entry) if long else shown(entry.path))


def _long(image: Image, entry: Entry) -> str:
    in_place = sum(block.in_place for block in image.blocks(entry))
    size = f"{entry.size:10}"
    if entry.kind in (EntryKind.CHAR, EntryKind.BLOCK):
        size = f"{entry.device >> 8 & 255:5},{entry.device & 255:4}"
    pages = f"{in_place}/{entry.pages}" if entry.kind is EntryKind.FILE else "-"
    link = ""
    if entry.kind is EntryKind.SYMLINK:
        link = " -> " + shown(os.fsdecode(image.read(entry)))
    return (
        f"{stat.filemode(entry.mode)} {entry.uid:5} {entry.gid:3} {size} {pages:>9} "
        f"{shown(entry.path)}{link}"
    )


def _entry_fields(image: Image, entry: Entry) -> dict[str, object]:
    fields: dict[str, object] = {
        "path": entry.path,
        "kind": entry.kind.name.lower(),
        "mode": entry.mode,
        "uid": entry.uid,
        "gid": entry.gid,
        "size": entry.size,
        "ino": entry.ino,
    }
    if entry.kind is EntryKind.FILE:
        fields["in_place"] = [
            index for index, block in enumerate(image.blocks(entry)) if block.in_place
        ]
    elif entry.kind is EntryKind.SYMLINK:
        fields["target"] = os.fsdecode(image.read(entry))
    elif entry.kind in (EntryKind.CHAR, EntryKind.BLOCK):
        fields["device"] = [entry.device >> 8 & 255, entry.device & 255]
    return fields


@command.command(
    help="Extract an image into DIRECTORY, which must be new or empty; nothing outside it is "
    "ever touched. "
    "Needs no root. Ends with 1 if a file could not be read."
)
@image_argument
@click.argument("directory", type=click.Path(path_type=Path))
@offset_option
@click.option("--owners", is_flag=True, help="Set owners and set-user-ID bits too; needs root.")
@click.option("--devices", is_flag=True, help="Make devices too; needs root.")
def extract(image: Path, directory: Path, offset: int, owners: bool, devices: bool) -> Exit:
    parsed = _opened(image, offset)
    bar = Bar("extracting")
    try:
        extracted = extract_image(parsed, directory, owners=owners, devices=devices, progress=bar)
    finally:
        bar.close()
    for path, reason in extracted.failed:
        click.echo(f"tinyprof: {shown(path)}: not extracted: {shown(reason)}", err=True)
    left = f", {len(extracted.skipped)} devices and sockets left out" if extracted.skipped else ""
    click.echo(f"{directory}: {extracted.entries} names, {extracted.bytes} bytes{left}", err=True)
    return Exit.FAILED if extracted.failed else Exit.OK


@command.command(
    help="Check an image: CRC, structure, overlaps, order, every page, and what its kernel "
    "would misread. "
    "Ends with 1 if there is an error, with 0 if there are only warnings."
)
@image_argument
@offset_option
@click.option("--kernel", type=click.Choice(KERNEL_MODELS), default="patched", show_default=True)
@click.option("--quick", is_flag=True, help="Do not decompress the pages.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@json_option
def check(
    image: Path, offset: int, kernel: KernelModel, quick: bool, strict: bool, as_json: bool
) -> Exit:
    report = check_image(image.read_bytes(), kernel, offset, contents=not quick)
    if as_json:
        click.echo(json.dumps(_report_fields(report)))
    else:
        _show_report(image, report)
    return Exit.FAILED if report.errors or (strict and report.findings) else Exit.OK


def _report_fields(report: Report) -> dict[str, object]:
    findings = [
        {
            "rule": finding.rule.value,
            "error": finding.error,
            "path": finding.path,
            "at": finding.at,
            "message": finding.message,
        }
        for finding in report.findings
    ]
    return {
        "errors": report.errors,
        "warnings": len(report.findings) - report.errors,
        "entries": report.entries,
        "contents": report.contents,
        "pages": report.pages,
        "findings": findings,
    }


def _show_report(image: Path, report: Report) -> None:
    for finding in report.findings[:SHOWN_FINDINGS]:
        click.echo(_line(finding))
    if len(report.findings) > SHOWN_FINDINGS:
        click.echo(f"and {len(report.findings) - SHOWN_FINDINGS} more; --json lists them all")
    warnings = len(report.findings) - report.errors
    verdict = (
        f"{report.errors} errors, {warnings} warnings" if report.findings else "nothing wrong"
    )
    click.echo(f"{image}: {verdict}; {report.entries} names, {report.pages} pages", err=True)


def _line(finding: Finding) -> str:
    severity = "error" if finding.error else "warning"
    where = f"{shown(finding.path)}: " if finding.path else ""
    return f"{severity} [{finding.rule}] byte {finding.at}: {where}{shown(finding.message)}"
