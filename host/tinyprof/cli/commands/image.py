# SPDX-License-Identifier: MIT
"""tinyprof image"""

from __future__ import annotations

import contextlib
import json
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from tinyprof.cli import Exit
from tinyprof.cli.bar import Bar
from tinyprof.cli.building.riscv_code import RISCV_CODE
from tinyprof.cli.types import Bytes
from tinyprof.cramfs.format import EntryKind, ImageError, SuperFlag, name_text
from tinyprof.cramfs.kernel import KERNEL_MODELS, KERNEL_WORDS, KernelModel
from tinyprof.cramfs.mapped import with_mapped
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.dump import read_image_bytes
from tinyprof.cramfs.reading.extractor import extract_image
from tinyprof.cramfs.reading.findings import Finding, Report, no_image
from tinyprof.cramfs.reading.measure import Share, measure
from tinyprof.cramfs.reading.reader import Image, open_image, read_image
from tinyprof.tables.columns import share as fraction
from tinyprof.tables.image_facts import image_lines
from tinyprof.text import counted, shown

SHOWN_FINDINGS = 50
"""Findings, or faults of an image, that are shown."""

offset_option = click.option(
    "--offset",
    type=Bytes(),
    default=0,
    help="Byte of a flash dump at which the image begins: 262144, 256K or 0x40000.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout."
)
image_argument = click.argument("image", type=click.Path(path_type=Path))


class _Commands(click.Group):
    """The commands of this module, and diff, which is imported only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "diff"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "diff":
            from tinyprof.cli.commands.image_diff import command as diff  # noqa: PLC0415

            return diff
        return super().get_command(ctx, cmd_name)


@click.group(
    cls=_Commands,
    help="Look into CramFS images: show, list, check, extract and compare them.",
    epilog="Example: tinyprof image info rootfs.cramfs",
)
def command() -> None:
    pass


@command.command(
    short_help="Show identity, flags, and the use of bytes.",
    help="Show an image's identity, its flags, and the use of its bytes.",
    epilog="Example: tinyprof image info --offset 0x40000 flash.bin",
)
@image_argument
@offset_option
@click.option(
    "--kernel",
    type=click.Choice(KERNEL_MODELS),
    help="Kernel whose pages mapped from flash are of interest.  [default: all]",
)
@RISCV_CODE
@json_option
def info(
    image: Path, offset: int, kernel: KernelModel | None, riscv_code: bool, as_json: bool
) -> Exit:
    parsed = open_image(image, offset, salvage=True)
    share = measure(parsed, riscv_code=riscv_code)
    facts = _facts(parsed, share, [kernel] if kernel else KERNEL_MODELS)
    if as_json:
        click.echo(json.dumps(facts))
    else:
        for line in image_lines(facts):
            click.echo(shown(line))
    _show_damages(parsed)
    return Exit.FAILED if parsed.damage_count or facts["unreadable_files"] else Exit.OK


def _show_damages(image: Image) -> None:
    """Name on stderr what reading passed over."""
    for damage in image.damages[:SHOWN_FINDINGS]:
        where = f"{shown(damage.path)}: byte {damage.at}"
        click.echo(f"tinyprof: {where}: {shown(damage.message)}", err=True)
    more = image.damage_count - SHOWN_FINDINGS
    if more > 0:
        click.echo(f"tinyprof: and {counted(more, 'fault')} more", err=True)


def _facts(image: Image, share: Share, kernels: Sequence[KernelModel]) -> dict[str, Any]:
    superblock = image.superblock
    files = [entry for entry in image.entries if entry.kind is EntryKind.FILE]
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
        "in_place_percent": round(100 * share.in_place / max(superblock.size, 1), 1),
        "compressed_bytes": share.compressed,
        "uncompressed_bytes": share.uncompressed,
        "pointer_bytes": share.pointers,
        "name_bytes": share.names,
        "holes": share.holes,
        "mapped": {kernel: share.mapped[kernel] for kernel in kernels},
        "unreadable_files": share.unreadable,
        "shares": {
            name: fraction(size, superblock.size)
            for name, size in (
                ("in_place", share.in_place),
                ("compressed", share.compressed),
                ("uncompressed", share.uncompressed),
                ("pointers", share.pointers),
                ("names", share.names),
            )
        },
    }


@command.command(
    short_help="List the paths, one a line.",
    help="List the paths of an image, one a line. Goes on after a fault, and ends with 1 then.",
    epilog="Example: tinyprof image ls -l rootfs.cramfs",
)
@image_argument
@offset_option
@click.option(
    "-l",
    "long",
    is_flag=True,
    help="Show mode, owner, size, pages in place of all pages, and targets of links, too.",
)
@json_option
def ls(image: Path, offset: int, long: bool, as_json: bool) -> Exit:
    parsed = open_image(image, offset, salvage=True)
    listing = _Listing(parsed)
    if as_json:
        for text in listing.json():
            click.echo(text, nl=False)
        click.echo()
    else:
        for entry in parsed.entries:
            click.echo(listing.line(entry) if long else shown(entry.path))
    sys.stdout.flush()
    _show_damages(parsed)
    for fault in listing.faults[:SHOWN_FINDINGS]:
        click.echo(f"tinyprof: {shown(fault)}", err=True)
    if len(listing.faults) > SHOWN_FINDINGS:
        more = counted(len(listing.faults) - SHOWN_FINDINGS, "fault")
        click.echo(f"tinyprof: and {more} more", err=True)
    return Exit.FAILED if parsed.damage_count or listing.faults else Exit.OK


class _Listing:
    """The entries of an image as text. `faults` has the entries that cannot be read.

    Thousands of names may share one content, so its pages are looked at once.
    """

    def __init__(self, image: Image) -> None:
        self._image = image
        self._counts: dict[tuple[int, int], int | None] = {}
        self._lists: dict[tuple[int, int], str] = {}
        self.faults: list[str] = []

    def line(self, entry: Entry) -> str:
        """The line of `ls -l`."""
        size = f"{entry.size:10}"
        if entry.kind in (EntryKind.CHAR, EntryKind.BLOCK):
            size = f"{entry.device >> 8 & 255:5},{entry.device & 255:4}"
        pages = "-"
        if entry.kind is EntryKind.FILE:
            count = self._count(entry)
            pages = f"{'?' if count is None else count}/{entry.pages}"
        target = self._target(entry) if entry.kind is EntryKind.SYMLINK else None
        link = "" if target is None else f" -> {shown(target)}"
        return (
            f"{stat.filemode(entry.mode)} {entry.uid:5} {entry.gid:3} {size} {pages:>9} "
            f"{shown(entry.path)}{link}"
        )

    def json(self) -> Iterator[str]:
        """One JSON list, in pieces."""
        yield "["
        for number, entry in enumerate(self._image.entries):
            text = json.dumps(self._fields(entry))
            if entry.kind is EntryKind.FILE:
                text = f'{text[:-1]}, "in_place": {self._list(entry)}}}'
            yield f", {text}" if number else text
        yield "]"

    def _fields(self, entry: Entry) -> dict[str, object]:
        fields: dict[str, object] = {
            "path": entry.path,
            "kind": entry.kind.name.lower(),
            "mode": entry.mode,
            "uid": entry.uid,
            "gid": entry.gid,
            "size": entry.size,
            "ino": entry.ino,
        }
        if entry.kind is EntryKind.SYMLINK:
            fields["target"] = self._target(entry)
        elif entry.kind in (EntryKind.CHAR, EntryKind.BLOCK):
            fields["device"] = [entry.device >> 8 & 255, entry.device & 255]
        return fields

    def _target(self, entry: Entry) -> str | None:
        """The target of a link. None: it cannot be read."""
        try:
            return name_text(self._image.link(entry))
        except ImageError as error:
            self.faults.append(error.message)
            return None

    def _count(self, entry: Entry) -> int | None:
        """The number of pages in place. None: the block pointers are broken."""
        content = entry.ino, entry.size
        if content not in self._counts:
            pages = self._in_place(entry)
            self._counts[content] = None if pages is None else len(pages)
        return self._counts[content]

    def _list(self, entry: Entry) -> str:
        """The pages in place as a JSON list; null where the block pointers are broken."""
        content = entry.ino, entry.size
        if content not in self._lists:
            self._lists[content] = json.dumps(self._in_place(entry))
        return self._lists[content]

    def _in_place(self, entry: Entry) -> list[int] | None:
        try:
            blocks = self._image.blocks(entry)
        except ImageError as error:
            self.faults.append(error.message)
            return None
        return [index for index, block in enumerate(blocks) if block.in_place]


@command.command(
    short_help="Extract all files into a new folder.",
    help="Extract an image into DIRECTORY, which must be new or empty. Nothing outside it is "
    "touched, and no root is needed. Goes on after an entry that cannot be made, and ends with 1 "
    "then.",
    epilog="Example: tinyprof image extract rootfs.cramfs extracted",
)
@image_argument
@click.argument("directory", type=click.Path(path_type=Path))
@offset_option
@click.option(
    "--owners", is_flag=True, help="Set owners and set-user-ID bits too. This needs root."
)
@click.option("--devices", is_flag=True, help="Make device nodes too. This needs root.")
def extract(image: Path, directory: Path, offset: int, owners: bool, devices: bool) -> Exit:
    parsed = open_image(image, offset, salvage=True)
    bar = Bar("extracting")
    try:
        extracted = extract_image(parsed, directory, owners=owners, devices=devices, progress=bar)
    finally:
        bar.close()
    _show_damages(parsed)
    for path, reason in extracted.failed:
        click.echo(f"tinyprof: {shown(path)}: not extracted: {shown(reason)}", err=True)
    for path, reason in extracted.unowned:
        click.echo(f"tinyprof: {shown(path)}: without its owner: {shown(reason)}", err=True)
    skipped = len(extracted.skipped)
    left = f", {counted(skipped, 'device')} and sockets left out" if skipped else ""
    names, size = counted(extracted.entries, "name"), counted(extracted.bytes, "byte")
    click.echo(f"{shown(str(directory))}: {names}, {size}{left}", err=True)
    complete = not (extracted.failed or extracted.unowned or parsed.damage_count)
    return Exit.OK if complete else Exit.FAILED


@command.command(
    short_help="Check structure, contents and kernel traps.",
    help="Check an image: CRC, structure, overlaps, order, every page, and everything that its "
    "kernel would misread. Ends with 1 if there is an error, with 0 if there are only warnings.",
    epilog="Example: tinyprof image check --kernel mainline rootfs.cramfs",
)
@image_argument
@offset_option
@click.option(
    "--kernel",
    type=click.Choice(KERNEL_MODELS),
    default="patched",
    show_default=True,
    help="Kernel that the image is for: patched has tinyprof's fault handler, mainline is a "
    "stock kernel, nommu a stock one without an MMU.",
)
@RISCV_CODE
@click.option("--quick", is_flag=True, help="Leave pages compressed; the CRC vouches for them.")
@click.option("--strict", is_flag=True, help="End with 1 for warnings too.")
@json_option
def check(
    image: Path,
    offset: int,
    kernel: KernelModel,
    riscv_code: bool,
    quick: bool,
    strict: bool,
    as_json: bool,
) -> Exit:
    try:
        with contextlib.closing(Bar("checking")) as bar:
            data = read_image_bytes(image, offset)
            report = check_image(data, kernel, contents=not quick, progress=bar)
        if not report.errors:
            report = with_mapped(report, read_image(data), kernel, riscv_code=riscv_code)
    except ImageError as error:
        report = no_image(error, offset)
    if as_json:
        click.echo(json.dumps(_report_fields(report)))
    else:
        _show_report(image, report, kernel)
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
        "warnings": report.warnings,
        "entries": report.entries,
        "contents": report.contents,
        "pages": report.pages,
        "unlisted": report.unlisted,
        "in_place": report.in_place,
        "mapped": report.mapped,
        "findings": findings,
    }


def _show_report(image: Path, report: Report, kernel: KernelModel) -> None:
    for finding in report.findings[:SHOWN_FINDINGS]:
        click.echo(_line(finding))
    if len(report.findings) > SHOWN_FINDINGS:
        more = len(report.findings) + report.unlisted - SHOWN_FINDINGS
        click.echo(f"and {more} more; --json lists {len(report.findings)} of them")
    errors, warnings = counted(report.errors, "error"), counted(report.warnings, "warning")
    verdict = f"{errors}, {warnings}" if report.findings else "nothing wrong"
    looked_at = f"{counted(report.entries, 'name')}, {counted(report.pages, 'page')}"
    if report.in_place:
        mapped = f"{report.mapped:,} of {counted(report.in_place, 'page')} in place"
        click.echo(f"{shown(str(image))}: {KERNEL_WORDS[kernel]} maps {mapped}", err=True)
    click.echo(f"{shown(str(image))}: {verdict}; {looked_at}", err=True)


def _line(finding: Finding) -> str:
    severity = "error" if finding.error else "warning"
    where = f"{shown(finding.path)}: " if finding.path else ""
    return f"{severity} [{finding.rule}] byte {finding.at}: {where}{shown(finding.message)}"
