# SPDX-License-Identifier: MIT
"""tinyprof split: one ELF file's segments split, put back, or proved to be what they were."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from tinyprof.cli import Exit
from tinyprof.cli.results import write_result
from tinyprof.cramfs.format import FILE_MAX
from tinyprof.cramfs.kernel import NO_CODE_FROM_FLASH, maps_no_code
from tinyprof.disk import read_limited
from tinyprof.errors import TinyprofError
from tinyprof.pages import page_ranges
from tinyprof.segments.elf import Reason, SplitError
from tinyprof.segments.proof import Proof, prove
from tinyprof.segments.split import Run, original_of, split, undo
from tinyprof.text import counted, shown

FILE = click.Path(path_type=Path)
RUN = re.compile(r"(\d{1,7})(?:-(\d{1,7}))?", re.ASCII)
SHOWN_MAX = 20


class RunList(click.ParamType[tuple[Run, ...]]):
    """Runs of pages, such as `3-7,12`."""

    name = "runs"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Run, ...]:
        runs = []
        for word in value.split(","):
            matched = RUN.fullmatch(word.strip())
            first, last = (
                (int(text) for text in (matched[1], matched[2] or matched[1]))
                if matched
                else (1, 0)
            )
            if first > last:
                self.fail(f"{word!r} is no page and no run of pages; write 0-3,7", param, ctx)
            runs.append(Run(first, last))
        return tuple(runs)


@click.command(
    help="Split FILE's loaded segments so that a stock kernel maps runs of its pages in place.\n\n"
    "A page is 4096 bytes of the file, counted from 0; see docs/split-segments.md.",
    epilog="Example: tinyprof split busybox -o busybox.split --runs 0-3,17,40-52",
)
@click.argument("file", type=FILE)
@click.option("-o", "output", type=FILE, help="Write the result to this file.")
@click.option("--runs", type=RunList(), help="Runs of pages to map in place: 0-3,7,12-15.")
@click.option("--undo", "undoing", is_flag=True, help="Write the original of the split FILE.")
@click.option(
    "--check", "checking", is_flag=True, help="Prove that the split FILE equals its original."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(
    file: Path,
    output: Path | None,
    runs: tuple[Run, ...] | None,
    undoing: bool,
    checking: bool,
    as_json: bool,
) -> Exit:
    if sum((bool(runs), undoing, checking)) != 1:
        raise click.UsageError("give one of --runs, --undo and --check")
    if checking == bool(output):
        raise click.UsageError(
            "--check writes nothing; leave out -o" if checking else "name an output with -o"
        )
    try:
        if checking:
            return _check(file, as_json)
        if undoing:
            return _undo(file, output or file, as_json)
        return _split(file, output or file, runs or (), as_json)
    except SplitError as error:
        raise TinyprofError(f"{shown(str(file))}: {error.message}", error.hint) from None


def _split(file: Path, output: Path, runs: tuple[Run, ...], as_json: bool) -> Exit:
    data = read_limited(file, FILE_MAX)
    if maps_no_code("mainline", data):
        raise SplitError(Reason.ARCHITECTURE, NO_CODE_FROM_FLASH, "see docs/split-segments.md")
    done = split(data, runs)
    # No split file leaves this program unproved, whatever the splitter may believe.
    proof = prove(original_of(data), done.elf) if done.table else None
    if proof and proof.differences:
        raise TinyprofError(
            f"{shown(str(file))}: not split: {proof.differences[0]}", "please report this"
        )
    _write(file, output, done.elf)
    facts: dict[str, object] = {
        "file": str(output),
        "size": len(done.elf),
        "mappings_added": done.mappings,
        "also_in_place": list(done.leading),
    }
    if as_json:
        click.echo(json.dumps(facts))
    elif not done.table:
        click.echo(
            f"{shown(str(output))}: each run begins a segment already; nothing to split", err=True
        )
    else:
        noun = "page" if len(done.leading) == 1 else "pages"
        leading = page_ranges(done.leading)
        also = f"; {noun} {leading} must be in place too" if done.leading else ""
        click.echo(
            f"{shown(str(output))}: {counted(done.mappings, 'mapping')} more{also}", err=True
        )
    return Exit.OK


def _undo(file: Path, output: Path, as_json: bool) -> Exit:
    original = undo(read_limited(file, FILE_MAX))
    _write(file, output, original)
    if as_json:
        click.echo(json.dumps({"file": str(output), "size": len(original)}))
    else:
        click.echo(
            f"{shown(str(output))}: {len(original)} bytes, as before it was split", err=True
        )
    return Exit.OK


def _check(file: Path, as_json: bool) -> Exit:
    data = read_limited(file, FILE_MAX)
    proof = prove(undo(data), data)
    if as_json:
        click.echo(json.dumps(_proof_fields(file, proof)))
    for difference in proof.differences[:SHOWN_MAX]:
        click.echo(f"tinyprof: {shown(str(file))}: {shown(difference)}", err=True)
    if proof.differences:
        return Exit.FAILED
    if not as_json:
        pages, sections = counted(proof.pages, "page"), counted(proof.sections, "section")
        click.echo(
            f"{shown(str(file))}: equals its original in {pages} of memory and {sections}; it has "
            f"{counted(proof.mappings, 'mapping')} more",
            err=True,
        )
    return Exit.OK


def _proof_fields(file: Path, proof: Proof) -> dict[str, object]:
    return {
        "file": str(file),
        "pages": proof.pages,
        "sections": proof.sections,
        "mappings_added": proof.mappings,
        "differences": list(proof.differences),
    }


def _write(source: Path, output: Path, data: bytes) -> None:
    """Write the result with the mode of its source, so that a program can still be run."""
    mode = source.stat().st_mode & 0o777
    write_result(output, data)
    if output.is_file():
        output.chmod(mode)
