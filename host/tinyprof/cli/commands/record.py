# SPDX-License-Identifier: MIT
"""tinyprof record: reads the words of the command, has the session record, prints what came of
it."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from tinyprof import __version__
from tinyprof.capture.format import Ending
from tinyprof.capture.parts import Roll
from tinyprof.cli import Exit
from tinyprof.cli.completion import ports
from tinyprof.cli.opening import ROOTFS, contents_of, index_to_record
from tinyprof.cli.process import closed_streams
from tinyprof.cli.progress import (
    Screen,
    ended_text,
    kept_text,
    next_commands,
    source_lines,
    summary_fields,
    totals_text,
)
from tinyprof.cli.terminal import (
    EndWanted,
    has_terminal,
    interruptible,
    is_dumb,
    record_on_screen,
    until_signalled,
)
from tinyprof.cli.types import TIME, serial_options
from tinyprof.errors import TinyprofError
from tinyprof.live.outlet import Outlet, let_go
from tinyprof.record.recorder import Recording, StopAfter
from tinyprof.record.session import Request, Session, check_outputs, open_session
from tinyprof.tables.ledger import ledger_lines
from tinyprof.text import EPOCH_MS_LIMIT, shown
from tinyprof.wire.messages import MARK_MAX
from tinyprof.wire.ports.serial_device import SerialSettings

PORT_FORMS = """\b
  /dev/ttyACM0        a serial device; --baud sets its rate
  FILE, PIPE          bytes of a line that came another way
  unix:PATH           a socket of this machine, such as QEMU's
  socket://HOST:PORT  a TCP port, such as that of ser2net or a debug probe
  rfc2217://HOST:PORT a serial port of another machine; --baud sets its rate
  hwgrep://REGEXP     the serial device whose description fits; other URLs of
                      pyserial work, too
  -                   standard input
  sim:                a simulated target: a recorded boot, played back
  sim:FILE            the same with another capture"""
"""The forms of PORT, as `record --help` shows them."""

SIZES = {"k": 1 << 10, "M": 1 << 20, "G": 1 << 30}
CONSOLE_SECONDS = 5.0
"""Seconds that the reader of a console pipe may take nothing before it is given up."""


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
    help="Record which pages the target on PORT uses, until the line ends or you press Ctrl-C.\n\n"
    f"PORT is one of\n\n{PORT_FORMS}",
    epilog="Example: tinyprof record /dev/ttyACM0 -o boot.tpcap --image plain.cramfs",
)
@click.argument("port", shell_complete=ports)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    default=Path("record.tpcap"),
    show_default=True,
    help="The capture to write. A file that exists is never overwritten.",
)
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    help="The image in the target's flash. Its index goes into the capture.",
)
@ROOTFS
@serial_options
@click.option(
    "--epoch",
    type=TIME,
    help="Ask the target for epochs of this length, such as 250ms, 1s or 2m.",
)
@click.option("--duration", type=TIME, help="Stop after this time, such as 60s or 5m.")
@click.option("--epochs", type=click.IntRange(1), help="Stop after this number of epochs.")
@click.option(
    "--mark",
    "marks",
    type=TimedMark(),
    multiple=True,
    help="Begin a phase of this name after this time: steady@20s. May be given several times.",
)
@click.option(
    "--roll",
    type=ROLL,
    help="Begin another complete file after this time or size, such as 1h or 100M.",
)
@click.option(
    "--zstd",
    "packed",
    is_flag=True,
    help="Write a smaller capture. Writing and reading it need tinyprof[zstd].",
)
@click.option(
    "--wait",
    is_flag=True,
    help="Wait until PORT appears, and wait again whenever it goes away.",
)
@click.option(
    "--one-way",
    is_flag=True,
    help="Send nothing to the target. Lost frames are counted, and not repeated.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0),
    default=1.0,
    help="Speed of a simulated target, as a factor. 0: without waiting.",
)
@click.option("--noise", is_flag=True, help="Give a simulated target a bad line.")
@click.option(
    "--console",
    type=click.Path(path_type=Path),
    help="Write what the target prints to this file or pipe, byte for byte.",
)
@click.option("--no-tui", is_flag=True, help="Show a progress line only, even on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as one JSON document.")
def command(
    port: str,
    output: Path,
    image: Path | None,
    rootfs: Path | None,
    line: SerialSettings,
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
    request = Request(
        port,
        output,
        __version__,
        line=line,
        epoch_ms=None if epoch is None else round(epoch * 1000),
        limits=StopAfter(duration, epochs),
        marks=marks,
        roll=roll,
        packed=packed,
        wait=wait,
        one_way=one_way,
        speed=speed,
        noisy=noise,
    )
    return _record(request, image, rootfs, console, no_tui=no_tui, as_json=as_json)


def _record(
    request: Request,
    image: Path | None,
    rootfs: Path | None,
    console: Path | None,
    *,
    no_tui: bool,
    as_json: bool,
) -> Exit:
    _check(request, as_json=as_json)
    with interruptible():
        check_outputs(request, console, [path for path in (image, rootfs) if path])
        request = replace(request, index=index_to_record(image, rootfs))
        on_screen = not no_tui and not as_json and has_terminal()
        contents = contents_of(image, rootfs) if on_screen else None
        with open_session(request, _say) as session, until_signalled() as wanted:
            kept = _console_outlet(console) if console else None
            session.begin_files(wanted)
            stderr = Outlet(sys.stderr.fileno, encoding=sys.stderr.encoding, missed=_missed)
            screen = Screen(stderr, _columns(), time.monotonic, kept)
            if on_screen:
                recording = record_on_screen(
                    shown(request.port),
                    request.output,
                    session.index,
                    session.record,
                    kept,
                    wanted,
                    contents,
                    request.rate,
                )
            else:
                recording = session.record(screen)
            if kept:
                _close_console(kept, screen, wanted)
            screen.finish()
            # The last lines are the most important ones: they get the room that they need.
            stderr.drain(wanted)
            if not recording.totals.bytes:
                session.discard()
            _print_end(screen, session, recording, as_json=as_json)
            if as_json:
                _print_summary(request, session, recording, wanted)
            _let_go_of(stderr, wanted)
            return _verdict(recording, request.baud)


def _check(request: Request, *, as_json: bool) -> None:
    """Raises UsageError or TinyprofError for words that make no recording."""
    closed = closed_streams()
    if request.epoch_ms is not None and request.epoch_ms >= EPOCH_MS_LIMIT:
        raise click.UsageError("--epoch is over 49 days, more than the target can count")
    if (request.noisy or request.speed != 1.0) and not request.is_simulated:
        raise click.UsageError("--noise and --speed are for a simulated target: sim: or sim:FILE")
    if request.port == "-" and 0 in closed:
        raise TinyprofError("standard input is closed", "redirect a file or a pipe to it")
    if as_json and 1 in closed:
        raise TinyprofError("standard output is closed", "redirect it to a file for --json")


def _say(text: str) -> None:
    click.echo(f"tinyprof: {text}", err=True)


def _missed(lines: int) -> str:
    what = "1 line was" if lines == 1 else f"{lines} lines were"
    return f"tinyprof: {what} not shown, because nobody read them; the recording has them\n"


def _console_outlet(path: Path) -> Outlet:
    """Open the file or pipe for the console's text. A pipe is opened once somebody reads it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOCTTY
    if path.is_fifo():
        return Outlet(lambda: os.open(path, flags))
    # Opening a serial device may wait for its carrier for ever.
    file = os.open(path, flags | os.O_NONBLOCK, 0o666)
    os.set_blocking(file, True)
    return Outlet(lambda: file)


def _close_console(kept: Outlet, screen: Screen, wanted: EndWanted) -> None:
    kept.close(wanted, CONSOLE_SECONDS)
    if kept.lost_bytes:
        why = f": {kept.error.strerror}" if kept.error else ", because nobody read it"
        screen.say(
            f"tinyprof: {kept.lost_bytes} bytes of console text are not in the --console file{why}"
            "; the capture has them too"
        )


def _let_go_of(stderr: Outlet, wanted: EndWanted) -> None:
    """Wait until stderr is read. If nobody reads it, what is said after this must not wait."""
    stderr.close(wanted)
    if not stderr.is_empty:
        let_go(2)


def _print_summary(
    request: Request, session: Session, recording: Recording, wanted: EndWanted
) -> None:
    """Print the JSON document. Raises OSError if stdout cannot be written."""
    stdout = Outlet(sys.stdout.fileno)
    fields = summary_fields(
        recording,
        request.output if recording.totals.bytes else None,
        len(session.paths) if recording.totals.bytes else 0,
        request.port,
        request.baud,
        str(session.index.fsid) if session.index else None,
    )
    stdout.write(json.dumps(fields) + "\n")
    stdout.close(wanted)
    if stdout.error:
        raise stdout.error


def _print_end(screen: Screen, session: Session, recording: Recording, *, as_json: bool) -> None:
    """Say where the capture is, what it holds, what was lost, and what to run next."""
    names = [shown(str(path)) for path in session.paths]
    if not recording.totals.bytes:
        screen.say(f"{names[0]}: nothing arrived, so there is no capture")
        screen.say(f"tinyprof: {ended_text(recording)}")
        return
    screen.say(
        f"{' to '.join(dict.fromkeys((names[0], names[-1])))}: {totals_text(recording.totals)}"
    )
    for line in (*source_lines(recording.totals), *ledger_lines(recording.totals)):
        screen.say(line)
    screen.say(f"tinyprof: {ended_text(recording)}")
    if recording.totals.hello is None:
        screen.say(f"tinyprof: {kept_text(recording.totals)}")
    if not as_json:
        first, *others = next_commands(session.paths, session.index, recording.totals)
        screen.say(f"next: {first}")
        for command in others:
            screen.say(f"  or: {command}")


def _columns() -> int | None:
    """The width of the terminal behind stderr, if there is one that can draw a line anew."""
    try:
        return None if is_dumb() else os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return None


def _verdict(recording: Recording, baud: int) -> Exit:
    """Return the exit code. Raises TinyprofError if the recording failed.

    Leaving the live view ends a recording, and does not interrupt it.
    """
    totals = recording.totals
    if recording.fault:
        raise recording.fault
    if recording.ending is Ending.INTERRUPTED:
        return Exit.INTERRUPTED
    if totals.hello is None:
        seen = f"{totals.bytes} bytes, none of them a hello" if totals.bytes else "nothing arrived"
        raise TinyprofError(
            f"no target was heard: {seen}",
            f"check that {baud} baud is the target's rate and that init=/sbin/tinyprof-agent runs",
        )
    # Where the port closed, the silence has a cause that is known.
    is_cut = totals.silent_ms > 0 and recording.ending is not Ending.LINE_ENDED
    return Exit.LOSS_OR_STALE if totals.losses or is_cut else Exit.OK
