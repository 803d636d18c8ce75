# SPDX-License-Identifier: MIT
"""How fast the host takes records: prints one line a figure, `name value unit`.

A synthetic line, like that of a busy target: epochs of 480 first touches in runs of neighbours, so many to a
frame as fit, an end for each epoch. `decoder` is FrameDecoder alone, `recorder` a whole recording from a file
into a capture, `profile` the way back from that capture to page counts.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

from tinyprof.capture import CaptureReader, CaptureWriter
from tinyprof.cramfs import Fsid
from tinyprof.errors import TinyprofError
from tinyprof.heat import split_runs
from tinyprof.link import CHUNK, open_link
from tinyprof.recorder import Totals, record
from tinyprof.watch import LineWatch
from tinyprof.wire import EpochEnd, FrameDecoder, Hello, Message, Pages, Volume, encode_message

SEED = 20261124
EPOCHS = 1500
EPOCH_RECORDS = 480
FRAME_RECORDS = 80
PAGES = 6449
ROUNDS = 3


class Silent:
    """An observer that shows nothing."""

    def progress(self, totals: Callable[[], Totals]) -> None:
        pass

    def console(self, text: bytes) -> None:
        pass

    def warning(self, warning: TinyprofError) -> None:
        pass


def messages() -> Iterator[Message]:
    rng = random.Random(SEED)
    volume = Volume(0, Fsid(1, 2, PAGES, 400), 13_000_000, "bench", True)
    yield Hello(1, "0.1.0", "6.1.192", "armv7l", 4096, bytes(8), 1000, 1, (volume,))
    for epoch in range(1, EPOCHS + 1):
        ids = _touched(rng)
        kinds = bytes(rng.choice((0,) * 18 + (1, 3)) for _ in ids)
        for at in range(0, len(ids), FRAME_RECORDS):
            yield Pages(
                0, epoch, epoch * 1000, tuple(ids[at : at + FRAME_RECORDS]), kinds[at : at + FRAME_RECORDS]
            )
        yield EpochEnd(0, epoch, epoch * 1000, (kinds.count(0), kinds.count(1), 0, kinds.count(3)))


def _touched(rng: random.Random) -> list[int]:
    ids: list[int] = []
    for first in rng.sample(range(400_000, 400_000 + PAGES, 12), PAGES // 12):
        ids += range(first, first + rng.randrange(1, 12))
    return ids[:EPOCH_RECORDS]


def rate(work: Callable[[], object]) -> float:
    """Records a second, the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = perf_counter()
        work()
        best = min(best, perf_counter() - began)
    return EPOCHS * EPOCH_RECORDS / best


def decode(line: bytes) -> None:
    decoder = FrameDecoder()
    frames = sum(len(decoder.feed(line[at : at + CHUNK])) for at in range(0, len(line), CHUNK))
    assert frames == 1 + EPOCHS * (1 + EPOCH_RECORDS // FRAME_RECORDS)


def record_file(line: Path, capture: Path) -> None:
    link = open_link(os.fspath(line))
    with capture.open("wb", buffering=0) as file:
        recording = record(link, CaptureWriter(file), LineWatch("file", 115_200), Silent())
    link.close()
    assert recording.totals.records == EPOCHS * EPOCH_RECORDS
    assert not recording.totals.losses


def profile_capture(capture: Path) -> None:
    with capture.open("rb") as file:
        (run,) = split_runs(CaptureReader(file).events())
    assert run.volumes[0].ended == EPOCHS


def main() -> None:
    line = b"".join(encode_message(message, seq) for seq, message in enumerate(messages()))
    print(f"line {len(line) / (EPOCHS * EPOCH_RECORDS):.2f} bytes/record")
    print(f"decoder {rate(lambda: decode(line)):.0f} records/s")
    with tempfile.TemporaryDirectory() as folder:
        path, capture = Path(folder, "line"), Path(folder, "capture")
        path.write_bytes(line)
        print(f"recorder {rate(lambda: record_file(path, capture)):.0f} records/s")
        print(f"profile {rate(lambda: profile_capture(capture)):.0f} records/s")


if __name__ == "__main__":
    main()
