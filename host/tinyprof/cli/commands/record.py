# SPDX-License-Identifier: MIT
"""tinyprof record"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tinyprof import __version__
from tinyprof.capture.compression import LinePacker
from tinyprof.capture.format import Ending, Meta
from tinyprof.capture.parts import Roll, RollingWriter, part_path
from tinyprof.cli import Exit
from tinyprof.cli.opening import ROOTFS, contents_of, index_of
from tinyprof.cli.progress import Screen
from tinyprof.cli.terminal import has_terminal, record_on_screen, until_signalled
from tinyprof.cli.types import TIME
from tinyprof.errors import TinyprofError
from tinyprof.heat.totals import Totals
from tinyprof.record.diagnosis import LineWatch
from tinyprof.record.noise import Noise
from tinyprof.record.recorder import (
    Observer,
    Recording,
    StopAfter,
    no_commands,
    nobody_listens,
    record,
)
from tinyprof.record.session import NAMED_PARTS, _due, _open, _writer
from tinyprof.record.sim import QUIET, open_sim
from tinyprof.tables.ledger import ledger_fields, ledger_lines, losses_text
from tinyprof.text import EPOCH_MS_LIMIT, shown
from tinyprof.wire.frames import Command, Event
from tinyprof.wire.messages import MARK_MAX, Hello
from tinyprof.wire.port import Link

SIZES = {"k": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class TimedMark(click.ParamType[tuple[str, float]]):
    """A mark and when to set it, in seconds after the start: NAME@20s."""

    name = "name@time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        text, at, time_ = str(value).rpartition("@")
        if not at or not 0 < len(os.fsencode(text)) <= MARK_MAX:
            self.fail(
                f"{value!r} is no mark; write a name of 1 to {MARK_MAX} bytes as in boot-done@20s"
            )
        return text, TIME.convert(time_, param, ctx)


class RollType(click.ParamType[Roll]):
    """When to begin another file: a time or a size with their units."""

    name = "time|size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Roll:
        text = str(value)
        unit = SIZES.get(text[-1:])
        number = text[:-1]
        if unit is None:
            seconds = TIME.convert(text, param, ctx)
            if not seconds:
                self.fail(f"{text!r} is no time to end a file after; write 1h", param, ctx)
            return Roll(seconds=seconds)
        if not (number.isascii() and number.isdecimal() and len(number) < 10 and int(number)):
            self.fail(f"{text!r} is no size; write 100k, 100M or 1G", param, ctx)
        return Roll(size=int(number) * unit)


ROLL = RollType()


@click.command(
    help="Record the page accesses of a target on PORT until the line ends or you press Ctrl-C."
)
@click.argument("port")
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    default=Path("record.tpcap"),
    show_default=True,
)
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    help="The image in flash: its index goes into the capture.",
)
@ROOTFS
@click.option("--baud", type=click.IntRange(1), default=115_200, show_default=True)
@click.option(
    "--epoch", type=TIME, help="Ask the target for epochs of this length: 250ms, 1s, 2m."
)
@click.option("--duration", type=TIME, help="Stop after this time: 60s, 5m.")
@click.option("--epochs", type=click.IntRange(1), help="Stop after so many epochs.")
@click.option(
    "--mark",
    "marks",
    type=TimedMark(),
    multiple=True,
    help="Begin a phase after this time: steady@20s.",
)
@click.option(
    "--roll", type=ROLL, help="Begin another complete file after this time or size: 1h, 100M."
)
@click.option(
    "--zstd",
    "packed",
    is_flag=True,
    help="A smaller capture; needs tinyprof[zstd], as reading it does.",
)
@click.option(
    "--wait", is_flag=True, help="Wait for PORT to appear, and again whenever it goes away."
)
@click.option(
    "--one-way", is_flag=True, help="Send nothing to the target: nothing that is lost is repeated."
)
@click.option(
    "--speed", type=click.FloatRange(0), default=1.0, help="Of a simulated target; 0: no waiting."
)
@click.option("--noise", is_flag=True, help="A bad line to a simulated target: sim: or sim:FILE.")
@click.option(
    "--console", type=click.Path(path_type=Path), help="Keep what the target prints, as it is."
)
@click.option("--no-tui", is_flag=True, help="A progress line only, also on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="A summary as one JSON document on stdout.")
def command(
    port: str,
    output: Path,
    image: Path | None,
    rootfs: Path | None,
    baud: int,
    epoch: float | None,
    duration: float | None,
    epochs: int | None,
    marks: tuple[tuple[str, float], ...],
    roll: Roll | None,
    packed: bool,
    wait: bool,
    one_way: bool,
    speed: float,
    noise: bool,
    console: Path | None,
    no_tui: bool,
    as_json: bool,
) -> Exit:
    if epoch is not None and round(epoch * 1000) >= EPOCH_MS_LIMIT:
        raise click.UsageError("--epoch is over 49 days, more than the target can count")
    if (noise or speed != 1.0) and not port.startswith("sim:"):
        raise click.UsageError("--noise and --speed are for a simulated target: sim: or sim:FILE")
    if output.exists():
        raise TinyprofError(f"{output} exists", "name another file with -o")
    index = index_of(image) if image else None
    packer = LinePacker() if packed else None
    with contextlib.ExitStack() as open_files:
        if port.startswith("sim:"):
            link: Link
            link, simulated = open_sim(port, speed=speed, noise=Noise() if noise else QUIET)
            index = index or simulated
        else:
            link = _open(port, baud, wait=wait)
        open_files.callback(link.close)
        console_file = (
            open_files.enter_context(console.open("wb", buffering=0)) if console else None
        )
        writer = _writer(
            output,
            Meta(__version__, port, baud, int(time.time())),
            index,
            roll,
            packer,
            open_files,
        )
        screen = Screen(sys.stderr, _columns(), time.monotonic, console_file)
        due = _due(marks)
        with until_signalled() as signalled:

            def begin(
                observer: Observer,
                on_events: Callable[[Sequence[Event]], None] = nobody_listens,
                commands: Callable[[], Iterable[Command]] = no_commands,
                stop: Callable[[], bool] = lambda: False,
            ) -> Recording:
                return record(
                    link,
                    writer,
                    LineWatch(port, baud, index),
                    observer,
                    StopAfter(duration, epochs, lambda: signalled() or stop()),
                    epoch_ms=None if epoch is None else round(epoch * 1000),
                    commands=lambda: [*due(), *commands()],
                    on_events=on_events,
                    one_way=one_way,
                )

            if no_tui or as_json or not has_terminal():
                recording = begin(screen)
            else:
                contents = contents_of(image, rootfs)
                recording = record_on_screen(
                    port, output, index, begin, console_file, signalled, contents
                )
        screen.finish()
    parts = writer.parts if isinstance(writer, RollingWriter) else 1
    names = [shown(str(part_path(output, part))) for part in range(parts)]
    if as_json:
        image_fsid = str(index.fsid) if index else None
        click.echo(json.dumps(_summary(recording, output, parts, port, baud, image_fsid)))
    screen.say(f"{' to '.join(dict.fromkeys((names[0], names[-1])))}: {_text(recording.totals)}")
    for line in ledger_lines(recording.totals):
        screen.say(line)
    if not as_json:
        others = shown(str(output.with_name(f"{output.stem}-*{output.suffix}")))
        all_of_it = " ".join(names) if parts <= NAMED_PARTS else f"{names[0]} {others}"
        screen.say(f"next: tinyprof view {all_of_it}, or tinyprof report {all_of_it}")
    return _verdict(recording, baud, interrupted=signalled())


def _columns() -> int | None:
    """The width of the terminal behind stderr, if there is one."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return None


def _text(totals: Totals) -> str:
    boots = f" and {totals.boots} runs" if totals.boots > 1 else ""
    late = (
        ", what its first epoch had before this recording included" if totals.joined_late else ""
    )
    cost = f" ({per_record:.2f} a record)" if (per_record := _bytes_per_record(totals)) else ""
    return (
        f"{totals.records} records of {totals.pages} pages in {totals.epochs} epochs{boots}, "
        f"{totals.bytes} bytes{cost}; lost: "
        f"{losses_text(totals.losses) if totals.hello else 'unknown'}"
        + (late if totals.losses.records else "")
    )


def _bytes_per_record(totals: Totals) -> float | None:
    """All frames of whatever type, without console text and garbage, over the records they
    brought."""
    framed = totals.bytes - totals.console_bytes - totals.corrupt_bytes
    return round(framed / totals.records, 3) if totals.records else None


def _summary(
    recording: Recording, output: Path, parts: int, port: str, baud: int, image_fsid: str | None
) -> dict[str, Any]:
    totals, ending = recording.totals, recording.ending
    return {
        "capture": str(output),
        "parts": parts,
        "port": port,
        "baud": baud,
        "image": image_fsid,
        "ended": ending.name.lower() if ending is not None else None,
        "error": str(recording.fault) if recording.fault else None,
        "seconds": round(totals.seconds, 3),
        "runs": totals.boots,
        "records": totals.records,
        "pages": totals.pages,
        "epochs": totals.epochs,
        "bytes": totals.bytes,
        "console_bytes": totals.console_bytes,
        "corrupt_bytes": totals.corrupt_bytes,
        "bytes_per_record": _bytes_per_record(totals),
        "unknown_messages": totals.unknown_messages,
        "joined_late": totals.joined_late,
        "lossless": totals.hello is not None and not totals.losses,
        "lost": asdict(totals.losses),
        **ledger_fields(totals),
        "hello": _hello_fields(totals.hello) if totals.hello else None,
    }


def _hello_fields(hello: Hello) -> dict[str, Any]:
    volumes = [
        {
            "volume": volume.index,
            "fsid": str(volume.fsid),
            "size": volume.size,
            "name": volume.name,
            "recording": volume.recording,
        }
        for volume in hello.volumes
    ]
    return {
        "protocol": hello.protocol,
        "agent": hello.agent,
        "kernel": hello.kernel,
        "arch": hello.arch,
        "page_size": hello.page_size,
        "boot_id": hello.boot_id.hex(),
        "epoch_ms": hello.epoch_ms,
        "tracer": hello.tracer,
        "volumes": volumes,
    }


def _verdict(recording: Recording, baud: int, *, interrupted: bool) -> Exit:
    """The exit code. Raises TinyprofError where the recording failed.

    Who leaves the live view has not interrupted a recording but ended it.
    """
    totals = recording.totals
    if recording.fault:
        raise recording.fault
    if recording.ending is Ending.INTERRUPTED and interrupted:
        return Exit.INTERRUPTED
    if totals.hello is None:
        seen = f"{totals.bytes} bytes, none of them a hello" if totals.bytes else "nothing arrived"
        raise TinyprofError(
            f"no target was heard: {seen}",
            f"check that {baud} baud is the target's rate and that init=/sbin/tinyprof-agent runs",
        )
    return Exit.LOSS_OR_STALE if totals.losses else Exit.OK
