# SPDX-License-Identifier: MIT
"""tinyprof image"""

from __future__ import annotations

import json
from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.output import shown
from tinyprof.cramfs import KERNEL_MODELS, EntryKind, Finding, KernelModel, Report, check_image, read_image

SHOWN_FINDINGS = 50

offset_option = click.option(
    "--offset", type=click.IntRange(0), default=0, help="The byte at which the image begins, in a flash dump."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
image_argument = click.argument("image", type=click.Path(path_type=Path))


@click.group(help="Look into CramFS images.")
def command() -> None:
    pass


@command.command(help="Show an image's identity and what its pages cost.")
@image_argument
@offset_option
@json_option
def info(image: Path, offset: int, as_json: bool) -> None:
    parsed = read_image(image.read_bytes(), offset)
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
@image_argument
@offset_option
def ls(image: Path, offset: int) -> None:
    parsed = read_image(image.read_bytes(), offset)
    for entry in parsed.entries:
        in_place = sum(block.in_place for block in parsed.blocks(entry))
        owner = f"{entry.uid:5} {entry.gid:3}"
        click.echo(f"{entry.mode:06o} {owner} {entry.size:9} {in_place:5} {shown(entry.path)}")


@command.command(
    help="Check an image: CRC, structure, overlaps, order, every page, and what its kernel would misread. "
    "Ends with 1 if there is an error, with 0 if there are only warnings."
)
@image_argument
@offset_option
@click.option("--kernel", type=click.Choice(KERNEL_MODELS), default="patched", show_default=True)
@click.option("--quick", is_flag=True, help="Do not decompress the pages.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@json_option
def check(image: Path, offset: int, kernel: KernelModel, quick: bool, strict: bool, as_json: bool) -> Exit:
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
    verdict = f"{report.errors} errors, {warnings} warnings" if report.findings else "nothing wrong"
    click.echo(f"{image}: {verdict}; {report.entries} names, {report.pages} pages", err=True)


def _line(finding: Finding) -> str:
    severity = "error" if finding.error else "warning"
    where = f"{shown(finding.path)}: " if finding.path else ""
    return f"{severity} [{finding.rule}] byte {finding.at}: {where}{shown(finding.message)}"
