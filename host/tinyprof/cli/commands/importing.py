# SPDX-License-Identifier: MIT
"""tinyprof import: a recording from the data of another tool."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import shutil
import sys
import tempfile
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import click

from tinyprof import __version__
from tinyprof.capture.format import Ending, Meta
from tinyprof.capture.writer import CaptureWriter
from tinyprof.cli import Exit
from tinyprof.cli.results import unnamed_beside, write_from, write_result
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.reader import Image, open_image
from tinyprof.disk import refuse_inputs
from tinyprof.errors import TinyprofError, about
from tinyprof.pages import PAGE_SIZE
from tinyprof.rootfs.counters import CounterTarget, SampleTally, samples_in
from tinyprof.rootfs.elf_names import read_names
from tinyprof.rootfs.indexing import index_image
from tinyprof.tables.columns import percent
from tinyprof.text import counted, shown
from tinyprof.wire.frames import encode_message

FILE = click.Path(path_type=Path)
PIECE = 1 << 20
"""Bytes that are read at once."""

LINE_MAX = 1 << 12
"""Bytes of a line, at most. The rest of a longer line is left out."""


class Address(click.ParamType[int]):
    """An address: 0x8000000, or a decimal number."""

    name = "address"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        try:
            number = int(str(value), 0)
        except ValueError:
            number = -1
        if not 0 <= number < 1 << 64:
            self.fail(f"{value} is no address such as 0x8000000", param, ctx)
        return number


@click.group(
    help="Make a recording of another tool's data.",
    epilog="Example: tinyprof import pcs trace.log --image root.cramfs --base 0x90000000 "
    "-o boot.tpcap",
)
def command() -> None:
    pass


@command.command(
    "pcs",
    short_help="Make a recording of addresses of executed code.",
    help="Make a recording of ADDRESSES: program counters of an emulator, a trace probe or a "
    "debugger. An address tells a page only where the code is executed in place, so store "
    "everything in place for this (build -X -X). Each line has a hexadecimal address, and a count "
    "if there is one. QEMU's logs of -d exec and of its plugin execlog are read too; - is stdin.",
    epilog="Example: tinyprof import pcs trace.log --image root.cramfs --base 0x90000000 "
    "-o boot.tpcap",
)
@click.argument("addresses", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--image", type=FILE, required=True, help="Image in flash.")
@click.option(
    "--base",
    type=Address(),
    required=True,
    help="Address of the image's first byte, as the processor sees the flash: 0x90000000.",
)
@click.option(
    "--epoch",
    type=click.IntRange(1),
    metavar="SAMPLES",
    help="Begin an epoch after this number of samples. Each sample needs a line of its own then: "
    "a count above 1 is refused.  [default: all are one epoch]",
)
@click.option(
    "--functions",
    type=FILE,
    help="Write the executed functions to this file too, as CSV: path, function, samples, first.",
)
@click.option("-o", "output", type=FILE, required=True, help="Write the capture to this file.")
def pcs(
    addresses: Path,
    image: Path,
    base: int,
    epoch: int | None,
    functions: Path | None,
    output: Path,
) -> Exit:
    inputs = [image, *([addresses] if str(addresses) != "-" else [])]
    for path in filter(None, (output, functions)):
        refuse_inputs(path, inputs)
    flashed = open_image(image)
    with _opened(addresses) as file:
        boot_id = _hash_of(file)[:8]
        target = CounterTarget(flashed, base, boot_id, epoch)
        with unnamed_beside(output) as capture:
            with about(shown(str(addresses))):
                _capture(target, file, flashed, capture)
            _check(target.tally, addresses, base)
            # If this fails, nothing has been written.
            rows = _functions(target.tally, flashed) if functions else b""
            write_from(output, capture)
    if functions:
        write_result(functions, rows)
    for line in _lines(target.tally):
        click.echo(line, err=True)
    return Exit.OK


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The addresses. Stdin and a pipe are kept in a file, because they are read twice."""
    if str(path) == "-":
        with _kept(sys.stdin.buffer) as kept:
            yield kept
        return
    with path.open("rb") as file:
        if file.seekable():
            yield file
            return
        with _kept(file) as kept:
            yield kept


@contextlib.contextmanager
def _kept(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """A file with all that comes from a stream, at its begin."""
    with tempfile.TemporaryFile() as kept:
        shutil.copyfileobj(stream, kept)
        kept.seek(0)
        yield kept


def _hash_of(file: IO[bytes]) -> bytes:
    """The SHA-256 of a file, which is at its begin before and after."""
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    file.seek(0)
    return digest.digest()


def _lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file, each cut after LINE_MAX bytes."""
    begins = True
    while piece := file.readline(LINE_MAX):
        if begins:
            yield piece
        begins = piece.endswith(b"\n")


def _capture(target: CounterTarget, file: IO[bytes], image: Image, output: IO[bytes]) -> None:
    """Write the capture of a played target."""
    writer = CaptureWriter(output, Meta(__version__, "program counters"), index_image(image))
    for seq, message in enumerate(target.messages(samples_in(_lines_of(file)))):
        writer.line(encode_message(message, seq))
    writer.end(Ending.LINE_ENDED)


def _check(tally: SampleTally, path: Path, base: int) -> None:
    """Raise TinyprofError where nothing is worth a capture."""
    name = shown(str(path))
    if not tally.samples:
        raise TinyprofError(f"{name}: no addresses", "give a hexadecimal address a line")
    if not tally.in_place:
        what = (
            "in the image, where nothing is in place" if tally.elsewhere else "outside the image"
        )
        raise TinyprofError(
            f"{name}: all {tally.samples:,} addresses are {what}",
            f"see that the flash is at {base:#x}, and that the image was built with -X -X",
        )


def _lines(tally: SampleTally) -> Iterable[str]:
    pages = len({(entry.ino, at // PAGE_SIZE) for entry, at in tally.bytes_seen})
    files = len({entry.ino for entry, _ in tally.bytes_seen})
    yield (
        f"tinyprof: {counted(tally.samples, 'sample')}: {percent(tally.in_place, tally.samples)} "
        f"on {counted(pages, 'page')} of {counted(files, 'file')} in place, "
        f"{tally.elsewhere:,} elsewhere in the image, {tally.outside:,} outside; "
        f"{counted(tally.epochs, 'epoch')}"
    )
    if tally.lines:
        yield f"tinyprof: {counted(tally.lines, 'line')} without an address left out"


def _functions(tally: SampleTally, image: Image) -> bytes:
    """The executed functions as CSV, the most samples first."""
    seen: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], int] = {}
    executed: defaultdict[Entry, list[int]] = defaultdict(list)
    for entry, at in tally.bytes_seen:
        executed[entry].append(at)
    for entry, places in executed.items():
        for at, name in _named(image.read(entry), places):
            key = entry.path, name
            seen[key] += tally.bytes_seen[entry, at]
            first[key] = min(tally.first_seen[entry, at], first.get(key, 1 << 62))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "function", "samples", "first"))
    for key in sorted(seen, key=lambda it: (-seen[it], first[it], it)):
        writer.writerow((*key, seen[key], first[key]))
    return text.getvalue().encode("utf-8", "surrogateescape")


def _named(content: bytes, places: Iterable[int]) -> Iterator[tuple[int, str]]:
    """The executed bytes of a file and the function of each; an empty name where there is none."""
    functions = read_names(content).functions
    starts = [it.offset for it in functions]
    for at in places:
        number = bisect_right(starts, at) - 1
        inside = number >= 0 and at < functions[number].offset + max(1, functions[number].size)
        yield at, functions[number].name if inside else ""
