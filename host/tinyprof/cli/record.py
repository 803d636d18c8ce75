# SPDX-License-Identifier: MIT
"""tinyprof record"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tinyprof import __version__
from tinyprof.capture import CaptureWriter, Ending, Meta
from tinyprof.cli import Exit
from tinyprof.cli.profiles import index_of
from tinyprof.cli.screen import Screen
from tinyprof.cli.terminal import has_terminal, record_on_screen
from tinyprof.errors import TinyprofError
from tinyprof.link import open_link
from tinyprof.recorder import Limits, Observer, Recording, Totals, no_marks, nobody_listens, record
from tinyprof.report import losses_text
from tinyprof.shown import shown
from tinyprof.watch import LineWatch
from tinyprof.wire import MARK_MAX, Event, Hello

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
EPOCH_MS_LIMIT = 1 << 32


class Time(click.ParamType[float]):
    """A time with its unit, in seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value)
        number = text.rstrip("smh")
        unit = SECONDS.get(text[len(number) :])
        if not (number.isascii() and number.isdecimal() and len(number) < 10) or unit is None:
            self.fail(f"{text!r} is no time; write 250ms, 1s, 2m or 1h", param, ctx)
        return int(number) * unit


TIME = Time()


class TimedMark(click.ParamType[tuple[str, float]]):
    """A mark and when to set it, in seconds after the start: NAME@20s."""

    name = "name@time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        text, at, time_ = str(value).rpartition("@")
        if not at or not 0 < len(os.fsencode(text)) <= MARK_MAX:
            self.fail(f"{value!r} is no mark; write a name of 1 to {MARK_MAX} bytes as in boot-done@20s")
        return text, TIME.convert(time_, param, ctx)


@click.command(help="Record the page accesses of a target on PORT until the line ends or you press Ctrl-C.")
@click.argument("port")
@click.option(
    "-o", "output", type=click.Path(path_type=Path), default=Path("record.tpcap"), show_default=True
)
@click.option(
    "--image", type=click.Path(path_type=Path), help="The image in flash: its index goes into the capture."
)
@click.option("--baud", type=click.IntRange(1), default=115_200, show_default=True)
@click.option("--epoch", type=TIME, help="Ask the target for epochs of this length: 250ms, 1s, 2m.")
@click.option("--duration", type=TIME, help="Stop after this time: 60s, 5m.")
@click.option("--epochs", type=click.IntRange(1), help="Stop after so many epochs.")
@click.option(
    "--mark", "marks", type=TimedMark(), multiple=True, help="Begin a phase after this time: steady@20s."
)
@click.option("--console", type=click.Path(path_type=Path), help="Keep what the target prints, as it is.")
@click.option("--no-tui", is_flag=True, help="A progress line only, also on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="A summary as one JSON document on stdout.")
def command(
    port: str,
    output: Path,
    image: Path | None,
    baud: int,
    epoch: float | None,
    duration: float | None,
    epochs: int | None,
    marks: tuple[tuple[str, float], ...],
    console: Path | None,
    no_tui: bool,
    as_json: bool,
) -> Exit:
    if epoch is not None and round(epoch * 1000) >= EPOCH_MS_LIMIT:
        raise click.UsageError("--epoch is over 49 days, more than the target can count")
    if output.exists():
        raise TinyprofError(f"{output} exists", "name another file with -o")
    index = index_of(image) if image else None
    with contextlib.ExitStack() as open_files:
        link = open_link(port, baud)
        open_files.callback(link.close)
        console_file = open_files.enter_context(console.open("wb", buffering=0)) if console else None
        capture = open_files.enter_context(output.open("xb", buffering=0))
        screen = Screen(sys.stderr, _columns(), time.monotonic, console_file)
        due = _due(marks)
        with _until_signalled() as signalled:

            def begin(
                observer: Observer,
                heard: Callable[[Sequence[Event]], None] = nobody_listens,
                more_marks: Callable[[], Iterable[str]] = no_marks,
                stop: Callable[[], bool] = lambda: False,
            ) -> Recording:
                return record(
                    link,
                    CaptureWriter(capture, Meta(__version__, port, baud, int(time.time())), index),
                    LineWatch(port, baud, index),
                    observer,
                    Limits(duration, epochs, lambda: signalled() or stop()),
                    epoch_ms=None if epoch is None else round(epoch * 1000),
                    marks=lambda: [*due(), *more_marks()],
                    heard=heard,
                )

            if no_tui or as_json or not has_terminal():
                recording = begin(screen)
            else:
                recording = record_on_screen(port, output, index, begin, console_file, signalled)
        screen.finish()
    if as_json:
        image_fsid = str(index.fsid) if index else None
        click.echo(json.dumps(_summary(recording, output, port, baud, image_fsid)))
    screen.say(f"{shown(str(output))}: {_text(recording.totals)}")
    if not as_json:
        screen.say(f"next: tinyprof view {shown(str(output))}, or tinyprof report {shown(str(output))}")
    return _verdict(recording, baud, interrupted=signalled())


def _due(marks: tuple[tuple[str, float], ...]) -> Callable[[], list[str]]:
    """The marks whose time has come since the last call, the first of which is the start."""
    left = sorted(marks, key=lambda mark: mark[1])
    began = time.monotonic()

    def due() -> list[str]:
        found = []
        while left and time.monotonic() - began >= left[0][1]:
            found.append(left.pop(0)[0])
        return found

    return due


def _columns() -> int | None:
    """The width of the terminal behind stderr, if there is one."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return None


@contextlib.contextmanager
def _until_signalled() -> Iterator[Callable[[], bool]]:
    """Ctrl-C, and being told to terminate, ask for an end; what was read by then is kept."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _text(totals: Totals) -> str:
    runs = f" and {totals.runs} runs" if totals.runs > 1 else ""
    late = ", what its first epoch had before this recording included" if totals.joined_late else ""
    cost = f" ({per_record:.2f} a record)" if (per_record := _bytes_per_record(totals)) else ""
    return (
        f"{totals.records} records of {totals.pages} pages in {totals.epochs} epochs{runs}, "
        f"{totals.bytes} bytes{cost}; lost: {losses_text(totals.losses) if totals.hello else 'unknown'}"
        + (late if totals.losses.records else "")
    )


def _bytes_per_record(totals: Totals) -> float | None:
    """All frames of whatever type, without console text and garbage, over the records they brought."""
    framed = totals.bytes - totals.console_bytes - totals.corrupt_bytes
    return round(framed / totals.records, 3) if totals.records else None


def _summary(
    recording: Recording, output: Path, port: str, baud: int, image_fsid: str | None
) -> dict[str, Any]:
    totals, ending = recording.totals, recording.ending
    return {
        "capture": str(output),
        "port": port,
        "baud": baud,
        "image": image_fsid,
        "ended": ending.name.lower() if ending is not None else None,
        "error": str(recording.fault) if recording.fault else None,
        "seconds": round(totals.seconds, 3),
        "runs": totals.runs,
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
