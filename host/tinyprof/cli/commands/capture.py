# SPDX-License-Identifier: MIT
"""tinyprof capture"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tinyprof.capture.format import ENDED
from tinyprof.capture.reader import CaptureReader
from tinyprof.cli import Exit
from tinyprof.disk import replace_file
from tinyprof.heat.totals import Tally, Totals
from tinyprof.tables.ledger import ledger_fields, ledger_lines
from tinyprof.text import shown, shown_line
from tinyprof.wire.frames import ConsoleText, CorruptFrame, Event, HostMark
from tinyprof.wire.sequence import Frame

CAPTURE = click.argument("path", metavar="CAPTURE", type=click.Path(path_type=Path))


@click.group(help="Look into recordings, check and repair them.")
def command() -> None:
    pass


@command.command("info", help="What a capture holds, and what its recording lost, by cause.")
@CAPTURE
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def info(path: Path, as_json: bool) -> Exit:
    reader, totals = _read(path)
    if as_json:
        click.echo(json.dumps(_info_fields(reader, totals)))
    else:
        for line in _info_lines(reader, totals):
            click.echo(shown(line))
    return _verdict(reader)


@command.command(
    "check", help="Whether a capture is whole: exit code 0, else 3 and from where on not."
)
@CAPTURE
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def check(path: Path, as_json: bool) -> Exit:
    reader, _ = _read(path)
    if as_json:
        click.echo(json.dumps(_state(reader)))
    else:
        click.echo(f"{shown(str(path))}: {_state_text(reader)}", err=True)
    return _verdict(reader)


@command.command(
    "repair", help="Cut what makes no sense off the end of a capture, or write the rest to -o."
)
@CAPTURE
@click.option("-o", "output", type=click.Path(path_type=Path), help="Leave the capture as it is.")
def repair(path: Path, output: Path | None) -> Exit:
    reader, _ = _read(path)
    cut = path.stat().st_size - reader.whole_size
    if cut or output:
        with path.open("rb") as file:
            replace_file(output or path, file.read(reader.whole_size))
    click.echo(f"{shown(str(output or path))}: {cut} bytes cut off", err=True)
    return Exit.OK


@command.command(
    "cat", help="What the target said, a line each, or with --line its bytes as they came."
)
@CAPTURE
@click.option("--json", "as_json", is_flag=True, help="One JSON document: an array of all events.")
@click.option(
    "--line", is_flag=True, help="The bytes themselves, to be recorded or replayed again."
)
@click.option(
    "--from", "seconds", type=float, default=0.0, help="Begin about so many seconds into it."
)
def cat(path: Path, as_json: bool, line: bool, seconds: float) -> Exit:
    if as_json and line:
        raise click.UsageError("--json and --line exclude each other")
    with path.open("rb") as file:
        reader = CaptureReader(file, shown(str(path)))
        if seconds:
            reader.seek(seconds)
        if line:
            for data in reader.line():
                sys.stdout.buffer.write(data)
        elif as_json:
            _echo_array(map(_event_fields, reader.events()))
        else:
            for event in reader.events():
                click.echo(_event_text(event))
    return _verdict(reader)


def _read(path: Path) -> tuple[CaptureReader, Totals]:
    """The whole of a capture, counted as the recorder counts. Raises CaptureError for what is
    none."""
    with path.open("rb") as file:
        reader = CaptureReader(file, shown(str(path)))
        tally = Tally()
        for event in reader.events():
            tally.take(event)
    tally.bytes, tally.gaps = reader.line_bytes, len(reader.gaps)
    tally.overruns = (reader.losses or {}).get("overruns", 0)
    return reader, tally.totals(reader.seconds, reader.decoder.sequence)


def _verdict(reader: CaptureReader) -> Exit:
    return Exit.OK if reader.cut_at is None else Exit.LOSS_OR_STALE


def _state(reader: CaptureReader) -> dict[str, Any]:
    return {
        "capture": reader.name,
        "version": reader.version,
        "whole": reader.cut_at is None,
        "cut_at": reader.cut_at,
        "ended": None if reader.ending is None else reader.ending.name.lower(),
        "strange_chunks": reader.strange_chunks,
        "index": reader.index is not None,
        "index_fault": reader.index_fault or None,
    }


def _state_text(reader: CaptureReader) -> str:
    if reader.cut_at is not None:
        return (
            f"makes no sense from byte {reader.cut_at} on; 'tinyprof capture repair' cuts that off"
        )
    if reader.ending is None:
        return "whole, of a recording that did not end by itself"
    return f"whole; the recording ended: {ENDED[reader.ending]}"


def _info_fields(reader: CaptureReader, totals: Totals) -> dict[str, Any]:
    return _state(reader) | {
        "recorder": asdict(reader.meta),
        "image": str(reader.index.fsid) if reader.index else None,
        "seconds": totals.seconds,
        "runs": totals.boots,
        "records": totals.records,
        "pages": totals.pages,
        "epochs": totals.epochs,
        "bytes": totals.bytes,
        "gaps": reader.gaps,
        "lossless": totals.hello is not None and not totals.losses,
        **ledger_fields(totals),
    }


def _info_lines(reader: CaptureReader, totals: Totals) -> Iterator[str]:
    meta = reader.meta
    yield f"{reader.name}: version {reader.version}, {_state_text(reader)}"
    yield (
        f"  from {meta.port or 'an unknown port'} at {meta.baud} baud, by tinyprof "
        f"{meta.tinyprof or '?'}"
    )
    yield f"  image {reader.index.fsid if reader.index else 'unknown'}"
    over = f"in {totals.epochs} epochs and {totals.boots} runs"
    yield f"  {totals.records} records of {totals.pages} pages {over}"
    yield f"  {totals.bytes} bytes in {totals.seconds:.1f} s"
    yield from ledger_lines(totals)


def _event_fields(event: Event) -> dict[str, Any]:
    match event:
        case Frame(seq, lost, message, restarted):
            fields = {name: _plain(value) for name, value in asdict(message).items()}
            return {
                "seq": seq,
                "lost": lost,
                "restarted": restarted,
                "message": type(message).__name__,
                **fields,
            }
        case ConsoleText(data):
            return {"console": data.decode("utf-8", "replace")}
        case CorruptFrame(reason, data, repeated):
            return {"corrupt": data.hex(), "reason": reason, "repeated": repeated}
        case HostMark(text):
            return {"mark": text}


def _plain(value: Any) -> Any:
    """As JSON can say it: a boot id in hexadecimal, kinds as numbers."""
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _event_text(event: Event) -> str:
    match event:
        case Frame(seq, lost, message):
            gap = f"{lost} frames missing before " if lost else ""
            return f"{gap}{seq}: {shown(repr(message))}"
        case ConsoleText(data):
            return f"console: {shown_line(data)}"
        case CorruptFrame(reason, data):
            return f"corrupt: {len(data)} bytes, {reason}"
        case HostMark(text):
            return f"mark: {shown(text)}"


def _echo_array(rows: Iterator[dict[str, Any]]) -> None:
    """One JSON document, without all of it in memory."""
    out = sys.stdout
    out.write("[")
    for number, row in enumerate(rows):
        out.write(",\n" if number else "\n")
        json.dump(row, out)
    out.write("\n]\n")
