# SPDX-License-Identifier: MIT
"""tinyprof capture: info, check, repair and cat."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tinyprof.capture.format import ENDED
from tinyprof.capture.reader import CaptureReader
from tinyprof.cli import Exit
from tinyprof.cli.completion import CAPTURES, files_ending
from tinyprof.cli.progress import source_lines
from tinyprof.errors import TinyprofError
from tinyprof.heat.totals import Tally, Totals
from tinyprof.pages import Kind
from tinyprof.tables.ledger import ledger_fields, ledger_lines
from tinyprof.text import counted, epoch_text, shown, shown_line
from tinyprof.wire.frames import ConsoleText, CorruptFrame, Event, HostMark
from tinyprof.wire.messages import (
    Begin,
    EpochEnd,
    FilePart,
    HeldMapping,
    Hello,
    Mappings,
    Mark,
    Message,
    Pages,
    Status,
    UnknownMessage,
    UnknownProtocol,
)
from tinyprof.wire.sequence import Frame
from tinyprof.wire.source import TouchSource, source_fields

CAPTURE = click.argument(
    "path",
    metavar="CAPTURE",
    type=click.Path(path_type=Path),
    shell_complete=files_ending(CAPTURES),
)
PIECE = 1 << 20
"""Bytes that are copied at once."""

TOUCHES_SHOWN = 8
"""Touches of one pages message that a line names."""

KINDS = {Kind.EXEC: "x", Kind.READ: "r", Kind.WRITE: "w", Kind.FILE: "f"}
"""Letters of the kinds, as in reports. x: touched in a mapping that may be executed."""


@click.group(
    help="Look into recordings, check them and repair them.",
    epilog="Example: tinyprof capture info boot.tpcap",
)
def command() -> None:
    pass


@command.command(
    "info",
    short_help="Show what a capture holds, and what was lost.",
    help="Show what a capture holds, and what its recording lost, by cause.",
    epilog="Example: tinyprof capture info boot.tpcap",
)
@CAPTURE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def info(path: Path, as_json: bool) -> Exit:
    reader, totals = _read(path)
    if as_json:
        click.echo(json.dumps(_info_fields(reader, totals)))
    else:
        for line in _info_lines(reader, totals):
            click.echo(shown(line))
    return _verdict(reader)


@command.command(
    "check",
    short_help="Check that a capture is whole.",
    help="Check that a capture is whole. Exit code 3: it is not, and the message says from where.",
    epilog="Example: tinyprof capture check boot.tpcap",
)
@CAPTURE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check(path: Path, as_json: bool) -> Exit:
    reader, _ = _read(path)
    if as_json:
        click.echo(json.dumps(_state(reader)))
    else:
        click.echo(f"{shown(str(path))}: {_state_text(reader)}", err=True)
    return _verdict(reader)


@command.command(
    "repair",
    short_help="Cut off the end of a damaged capture.",
    help="Cut off the end of a capture that makes no sense, or write the whole part to -o.",
    epilog="Example: tinyprof capture repair cut.tpcap -o whole.tpcap",
)
@CAPTURE
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    help="Write the whole part to this new file, and leave CAPTURE as it is.",
)
def repair(path: Path, output: Path | None) -> Exit:
    if output and (output.exists() or output.is_symlink()):
        raise TinyprofError(f"{output} exists", "name another file with -o")
    reader, _ = _read(path)
    # A recording that still grows is whole, though it is longer by now.
    cut = 0 if reader.cut_at is None else path.stat().st_size - reader.whole_size
    if output:
        _copy_start(path, reader.whole_size, output)
    elif cut:
        os.truncate(path, reader.whole_size)
    click.echo(f"{shown(str(output or path))}: {counted(cut, 'byte')} cut off", err=True)
    return Exit.OK


def _copy_start(path: Path, size: int, output: Path) -> None:
    """Write the first bytes of a file to a new one, piece by piece. Leaves nothing half-made."""
    with path.open("rb") as file, output.open("xb") as new:
        try:
            while piece := file.read(min(size, PIECE)):
                new.write(piece)
                size -= len(piece)
            # Closing would find out too late that the disk is full.
            new.flush()
        except BaseException:
            output.unlink(missing_ok=True)
            raise


@command.command(
    "cat",
    short_help="Print what the target said.",
    help="Print what the target said, a line for each message.",
    epilog="Example: tinyprof capture cat boot.tpcap --from 20",
)
@CAPTURE
@click.option("--json", "as_json", is_flag=True, help="Print all events as one JSON array.")
@click.option(
    "--line",
    is_flag=True,
    help="Print the bytes of the line as they came, to be recorded or replayed again.",
)
@click.option(
    "--from",
    "seconds",
    type=float,
    default=0.0,
    help="Begin about this many seconds after the start.",
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
    """Read a capture to its end, and count as the recorder counts. Raises CaptureError."""
    with path.open("rb") as file:
        reader = CaptureReader(file, shown(str(path)))
        tally = Tally()
        for event in reader.events():
            tally.take(event)
    tally.bytes, tally.gaps = reader.line_bytes, len(reader.gaps)
    noted = reader.losses or {}
    tally.overruns, tally.silent_ms = noted.get("overruns", 0), noted.get("silent_ms", 0)
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
        return "whole; the recorder was killed, or its port failed"
    return f"whole; the recording ended: {ENDED[reader.ending]}"


def _info_fields(reader: CaptureReader, totals: Totals) -> dict[str, Any]:
    source = totals.hello.source if totals.hello else None
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
        "source": source_fields(source) if source else None,
        "files_told": totals.files_told,
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
    yield f"  {_index_text(reader)}"
    yield from source_lines(totals)
    over = f"in {counted(totals.epochs, 'epoch')} and {counted(totals.boots, 'boot')}"
    yield f"  {counted(totals.records, 'record')} of {counted(totals.pages, 'page')} {over}"
    yield f"  {counted(totals.bytes, 'byte')} in {totals.seconds:.1f} s"
    if silent := totals.silent_ms:
        yield f"  the target had sent nothing for {silent / 1000:.0f} s when the recording ended"
    yield from ledger_lines(totals)


def _index_text(reader: CaptureReader) -> str:
    index = reader.index
    if index is None:
        return "image unknown"
    if index.of_tree:
        return f"tree {index.fsid}, of {counted(len(index.files), 'file')}"
    return f"image {index.fsid}"


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
    """Return a value as JSON has it: bytes become hexadecimal digits."""
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _event_text(event: Event) -> str:
    match event:
        case Frame(seq, lost, message, restarted):
            gap = f"{counted(lost, 'frame')} missing before " if lost else ""
            again = "the target started again; " if restarted else ""
            return f"{again}{gap}{seq}: {shown(_message_text(message))}"
        case ConsoleText(data):
            return f"console: {shown_line(data)}"
        case CorruptFrame(reason, data):
            return f"corrupt: {counted(len(data), 'byte')}, {shown(reason)}"
        case HostMark(text):
            return f"mark of the recorder: {shown(text)}"


def _message_text(message: Message) -> str:
    """Return a message as a line that a person can read."""
    match message:
        case Hello():
            text = _hello_text(message)
        case Pages(volume, epoch, ms, page_ids, kinds):
            touches = [
                f"{page_id}{KINDS[Kind(kind)]}"
                for page_id, kind in zip(page_ids, kinds, strict=True)
            ]
            more = f" and {len(touches) - TOUCHES_SHOWN} more" * (len(touches) > TOUCHES_SHOWN)
            named = " ".join(touches[:TOUCHES_SHOWN])
            count = counted(len(touches), "page")
            text = f"volume {volume}, epoch {epoch}, {ms} ms: touched {count}: {named}{more}"
        case EpochEnd(volume, epoch, ms, records, _, processes):
            by_kind = ", ".join(
                f"{count}{letter}" for count, letter in zip(records, KINDS.values(), strict=True)
            )
            mapped = f", files mapped by several processes: {len(processes)}" if processes else ""
            text = f"volume {volume}, epoch {epoch}, {ms} ms: epoch ended with {by_kind}{mapped}"
        case Status():
            text = _status_text(message)
        case FilePart(volume, page_id, pages, size, _, inode, _, offset, part):
            name = part.decode("utf-8", "surrogateescape")
            text = (
                f"volume {volume}, file of {counted(pages, 'page')} from page {page_id} on, "
                f"{size} bytes, inode {inode}: {'…' if offset else ''}{name}"
            )
        case Mappings(volume, epoch, held):
            text = f"volume {volume}, epoch {epoch}: held {_held_text(held)}"
        case Mark(number, ms, text):
            text = f"mark {number} of the target at {ms} ms: {text}"
        case Begin(session):
            text = f"begins to repeat, session {session}"
        case UnknownMessage(kind):
            text = f"a message of unknown type {kind}"
        case UnknownProtocol(protocol):
            text = f"a hello of unknown protocol {protocol}"
        case _:
            text = f"command of the host: {type(message).__name__}"
    return text


def _held_text(held: Sequence[HeldMapping]) -> str:
    shown_ones = [
        f"{counted(it.pages, 'page')} from {it.page_id} on by {it.processes}"
        for it in held[:TOUCHES_SHOWN]
    ]
    more = f" and {len(held) - TOUCHES_SHOWN} more" * (len(held) > TOUCHES_SHOWN)
    return f"{counted(len(held), 'mapping')}: {', '.join(shown_ones)}{more}"


def _status_text(status: Status) -> str:
    events = f", {counted(status.lost_events, 'event')} dropped" if status.lost_events else ""
    return (
        f"status at {status.ms} ms: {counted(status.queued, 'record')} queued, "
        f"{status.untraced} untraced, {counted(status.write_errors, 'write error')}, "
        f"{counted(status.repeats, 'frame')} repeated, waited {status.waited_ms} ms{events}"
    )


def _hello_text(hello: Hello) -> str:
    volumes = "; ".join(
        f"volume {it.index}: {it}"
        + ("" if it.is_files else f" {it.name}, {it.size} bytes")
        + f", {'recording' if it.recording else 'not recording'}"
        for it in hello.volumes
    )
    source = f", {_source_text(hello.source)}" if hello.source else ""
    return (
        f"hello of Linux {hello.kernel} {hello.arch}, agent {hello.agent}, "
        f"boot {hello.boot_id.hex()}, {epoch_text(hello.epoch_ms)}, tracer {hello.tracer}, "
        f"window {hello.window}{source}; {volumes or 'no volume'}"
    )


def _source_text(source: TouchSource) -> str:
    late = ", late" if source.late else ""
    return (
        f"source {source.name} with re-arm {source.rearm}, around {source.around}, "
        f"kinds {source.letters or 'none'}{late}"
    )


def _echo_array(rows: Iterator[dict[str, Any]]) -> None:
    """Print one JSON array without having all of it in memory."""
    out = sys.stdout
    out.write("[")
    for number, row in enumerate(rows):
        out.write(",\n" if number else "\n")
        json.dump(row, out)
    out.write("\n]\n")
