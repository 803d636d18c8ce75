# SPDX-License-Identifier: MIT
"""Measures the processor time and the memory of a recording. Prints one line a figure, `name value
unit`.

`pty`: a recording from a pty, by the recorder's processor time, against a line of 3 Mbaud.
`replay`: one line of 100 million records, or $TINYPROF_REPLAY million, through the recorder and
all that the live view counts; `memory` is what the process held at most until a tenth of that had
come, `growth` how much more it was later.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import tempfile
import tty
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.line import Line, boot, synthetic
from support.silent import Silent
from tinyprof.capture.writer import CaptureWriter
from tinyprof.live.snapshot import LiveHeat
from tinyprof.record.diagnosis import LineWatch
from tinyprof.record.recorder import StopAfter, record
from tinyprof.wire.frames import Event
from tinyprof.wire.ports.link import CHUNK
from tinyprof.wire.ports.opening import DescriptorLink

BAUD = 115_200
FAST_LINE = 3_000_000 / 10
"""Bytes a second."""

PTY_RECORDS = 2_000_000


def pty(line: Line, epochs: int) -> None:
    """A recording from a pty whose other end always has more to say, by the recorder's processor
    time."""
    master, slave = os.openpty()
    tty.setraw(slave)
    # A process of its own, so that what it uses does not count.
    writer = os.fork()
    if not writer:
        os.close(slave)
        with contextlib.suppress(OSError):
            say(master, line.pieces(epochs))
        os._exit(0)
    os.close(master)
    link = DescriptorLink(slave, "pty", writable=True)
    with tempfile.TemporaryFile(buffering=0) as file:
        began = process_time()
        recording = record(
            link,
            CaptureWriter(file, index=line.index),
            LineWatch("pty", BAUD, line.index),
            Silent(),
            StopAfter(epochs=epochs),
        )
        took = process_time() - began
    link.close()
    os.waitpid(writer, 0)
    totals = recording.totals
    assert recording.fault is None
    assert not totals.losses
    show(f"{line.name}-pty", round(totals.bytes / took / FAST_LINE, 1), "times-3-Mbaud/core")


def say(master: int, pieces: Iterable[bytes]) -> None:
    """Write all of it, and read whatever is answered until nobody listens any more."""
    os.set_blocking(master, False)
    for piece in pieces:
        left = memoryview(piece)
        while left:
            readable, writable, _ = select.select([master], [master], [])
            if readable:
                os.read(master, CHUNK)
            if writable:
                left = left[os.write(master, left) :]
    while select.select([master], [], []):
        os.read(master, CHUNK)


class EndlessLink:
    """A line that is made while it is read."""

    writable = False
    away = False
    gaps = 0
    overruns = 0

    def __init__(self, line: Line, epochs: int) -> None:
        self._pieces = line.pieces(epochs)

    def read(self, timeout: float) -> bytes | None:
        return next(self._pieces, None)

    def write(self, data: bytes) -> None:
        raise AssertionError

    def close(self) -> None:
        pass


def replay(line: Line, epochs: int) -> None:
    """One recording without end, into a capture that nobody keeps, with all that the live view
    counts."""
    heat = LiveHeat(line.index)
    warm: list[float] = []

    def on_events(events: Sequence[Event]) -> None:
        heat.take(events)
        if not warm and heat.epochs >= epochs // 10:
            warm.append(peak())
            forget_peak()

    forget_peak()
    with Path(os.devnull).open("wb", buffering=0) as file:
        began = process_time()
        recording = record(
            EndlessLink(line, epochs),
            CaptureWriter(file, index=line.index),
            LineWatch("endless", BAUD, line.index),
            Silent(),
            on_events=on_events,
        )
        took = process_time() - began
    assert not recording.totals.losses
    show(f"{line.name}-replay", recording.totals.records, "records")
    show(f"{line.name}-replay-speed", round(recording.totals.records / took), "records/cpu-s")
    show(f"{line.name}-replay-memory", round(warm[0], 1), "MiB")
    show(f"{line.name}-replay-growth", round(peak() - warm[0], 1), "MiB")


def peak() -> float:
    """MiB that this process has held at most since `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def forget_peak() -> None:
    """Linux: Documentation/filesystems/proc.rst, clear_refs."""
    Path("/proc/self/clear_refs").write_text("5")


def show(name: str, value: float, unit: str) -> None:
    print(f"{name} {value} {unit}", flush=True)


def main() -> None:
    millions = int(os.environ.get("TINYPROF_REPLAY", "100"))
    for line in (synthetic(), boot()):
        pty(line, line.epochs_of(PTY_RECORDS))
        replay(line, line.epochs_of(millions * 1_000_000))


if __name__ == "__main__":
    main()
