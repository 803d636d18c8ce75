# SPDX-License-Identifier: MIT
"""How fast the host takes records from files: prints one line a figure, `name value unit`.

Of each line of `line.py`: `decoder` is FrameDecoder alone, `recorder` a whole recording from a
file into a capture, `profile` the way back from that capture to page counts. Rates are by
processor time, the user's and the system's, for one core that does nothing else; the best of some
rounds.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.line import Line, boot, synthetic
from support.silent import Silent
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.heat.boots import split_boots
from tinyprof.record.diagnosis import LineWatch
from tinyprof.record.recorder import record
from tinyprof.wire.frames import Event, FrameDecoder
from tinyprof.wire.messages import Pages
from tinyprof.wire.ports.opening import open_link
from tinyprof.wire.sequence import Frame

RECORDS = 500_000
ROUNDS = 5


def rate(work: Callable[[], int]) -> float:
    """The result of `work`, divided by its seconds of processor time; the best of some rounds."""
    best = 0.0
    for _ in range(ROUNDS):
        began = process_time()
        done = work()
        best = max(best, done / (process_time() - began))
    return best


def decode(pieces: list[bytes]) -> int:
    decoder = FrameDecoder()
    return sum(_records(decoder.feed(piece)) for piece in pieces)


def _records(events: list[Event]) -> int:
    return sum(
        len(event.message.page_ids)
        for event in events
        if isinstance(event, Frame) and isinstance(event.message, Pages)
    )


def record_file(line: Line, path: Path, capture: Path) -> int:
    link = open_link(os.fspath(path))
    with capture.open("wb", buffering=0) as file:
        watch = LineWatch("file", 115_200, line.index)
        recording = record(link, CaptureWriter(file, index=line.index), watch, Silent())
    link.close()
    assert recording.fault is None
    assert not recording.totals.losses
    return recording.totals.records


def profile_capture(capture: Path) -> int:
    with capture.open("rb") as file:
        (run,) = split_boots(CaptureReader(file).events())
    (volume,) = run.volumes.values()
    assert volume.pages
    return volume.records


def measure(line: Line) -> None:
    pieces = list(line.pieces(line.epochs_of(RECORDS)))
    print(f"{line.name}-line {sum(map(len, pieces)) / decode(pieces):.2f} bytes/record")
    print(f"{line.name}-decoder {rate(lambda: decode(pieces)):.0f} records/cpu-s")
    with tempfile.TemporaryDirectory() as folder:
        path, capture = Path(folder, "line"), Path(folder, "capture")
        path.write_bytes(b"".join(pieces))
        print(
            f"{line.name}-recorder {rate(lambda: record_file(line, path, capture)):.0f} "
            "records/cpu-s"
        )
        print(
            f"{line.name}-profile {rate(lambda: profile_capture(capture)):.0f} records/cpu-s",
            flush=True,
        )


def main() -> None:
    for line in (synthetic(), boot()):
        measure(line)


if __name__ == "__main__":
    main()
