# SPDX-License-Identifier: MIT
"""Each part of a recording is complete, and all parts together hold everything once."""

from __future__ import annotations

import io
from dataclasses import replace

from support.silent import Silent
from tinyprof.capture.format import Ending, Meta
from tinyprof.capture.parts import Parts, Roll, RollingWriter
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.heat.totals import Tally
from tinyprof.record.diagnosis import LineWatch
from tinyprof.record.recorder import Recording, StopAfter, record
from tinyprof.wire.frames import FrameDecoder, encode_message
from tinyprof.wire.messages import Begin, EpochEnd, Hello, Message, Pages
from tinyprof.wire.sequence import EARLY

EPOCHS = 400


class Line:
    """A link that reads as written down."""

    writable = True
    gaps = 0
    away = False
    overruns = 0

    def __init__(self, data: bytes, size: int) -> None:
        self._pieces = [data[at : at + size] for at in range(0, len(data), size)]

    def read(self, timeout: float) -> bytes | None:
        return self._pieces.pop(0) if self._pieces else None

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        pass


def story(hello: Hello) -> list[Message]:
    said: list[Message] = [replace(hello, window=32)]
    for epoch in range(1, EPOCHS + 1):
        said += [
            Pages(0, epoch, epoch, tuple(range(epoch, epoch + 20)), bytes(20)),
            Pages(0, epoch, epoch, tuple(range(epoch, epoch + 20)), bytes([3]) * 20),
            EpochEnd(0, epoch, epoch, (20, 0, 0, 20), 40 * epoch),
        ]
    return said


def recorded(line: bytes) -> tuple[Recording, list[CaptureReader]]:
    files: list[io.BytesIO] = []

    def begin_part(meta: Meta, primer: bytes) -> CaptureWriter:
        files.append(io.BytesIO())
        return CaptureWriter(files[-1], meta, None, primer)

    writer = RollingWriter(Meta(), begin_part, Roll(size=2000))
    recording = record(Line(line, 777), writer, LineWatch("line", 1), Silent(), StopAfter())
    assert recording.fault is None
    for file in files:
        file.seek(0)
    return recording, [CaptureReader(file) for file in files]


def check(line: bytes) -> None:
    _, parts = recorded(line)
    assert len(parts) > 10
    records = 0
    for number, part in enumerate(parts):
        tally = Tally()
        for event in part.events():
            tally.take(event)
        totals = tally.totals(0.0)
        assert (part.cut_at, part.meta.part, part.strange_chunks) == (None, number, 0)
        assert part.ending is (Ending.LINE_ENDED if part is parts[-1] else Ending.ROLLED)
        assert totals.hello is not None
        assert not totals.losses
        records += totals.records
    assert records == 40 * EPOCHS


def test_parts_of_frames_that_are_sent_once(hello: Hello) -> None:
    check(b"".join(encode_message(message, seq) for seq, message in enumerate(story(hello))))


def test_what_is_corrupt_is_lost_in_later_parts_too_where_nothing_is_repeated(
    hello: Hello,
) -> None:
    frames = [encode_message(message, seq) for seq, message in enumerate(story(hello))]
    # At first it might still begin to repeat.
    at_first, later = frames[: 2 * EARLY], frames[2 * EARLY :]
    recording, parts = recorded(b"".join(at_first) + b"\0not \x80 a frame\0".join(later))
    tally = Tally()
    for event in Parts(iter(parts)).events():
        tally.take(event)
    assert tally.totals(0.0).losses.corrupt == recording.totals.losses.corrupt > EPOCHS


def test_parts_of_frames_that_are_repeated(hello: Hello) -> None:
    frames = [encode_message(m, seq, repeated=True) for seq, m in enumerate(story(hello))]
    for at in range(5, len(frames) - 5, 7):
        frames[at], frames[at + 1] = frames[at + 1], frames[at]
    line = encode_message(Begin(9), 0) + b"".join(frames)
    assert len(FrameDecoder().feed(line)) == len(frames)
    check(line)
