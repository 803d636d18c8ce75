# SPDX-License-Identifier: MIT
"""One recording: a link in, a capture and running totals out.

What arrives is stored before it is counted. Every loss is known: from gaps in the frames' numbers, and from
the epoch ends, which say how many records an epoch had.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from tinyprof.capture import CaptureWriter
from tinyprof.link import Link
from tinyprof.wire import (
    ConsoleText,
    CorruptFrame,
    EpochEnd,
    EpochLength,
    Event,
    Frame,
    FrameDecoder,
    Hello,
    HelloPlease,
    Message,
    Pages,
    encode_message,
)

POLL_SECONDS = 0.25


@dataclass(slots=True)
class Totals:
    """What was seen so far; `missing_records` is exact, from the epochs that ended."""

    hello: Hello | None = None
    bytes: int = 0
    records: int = 0
    pages: set[tuple[int, int]] = field(default_factory=set)
    epochs: int = 0
    lost_frames: int = 0
    corrupt_frames: int = 0
    missing_records: int = 0
    interrupted: bool = False
    unfinished: Counter[tuple[int, int]] = field(default_factory=Counter)

    @property
    def lossless(self) -> bool:
        return not (self.lost_frames or self.corrupt_frames or self.missing_records)


def record(
    link: Link,
    writer: CaptureWriter,
    *,
    epoch_ms: int | None = None,
    seconds: float | None = None,
    epochs: int | None = None,
    progress: Callable[[Totals, float], None] | None = None,
) -> Totals:
    """Record until the link ends, Ctrl-C is pressed, or after so many seconds or epochs."""
    totals, decoder, began = Totals(), FrameDecoder(), monotonic()
    if link.writable:
        link.write(encode_message(HelloPlease(), 0))
        if epoch_ms is not None:
            link.write(encode_message(EpochLength(epoch_ms), 1))
    try:
        while (data := link.read(POLL_SECONDS)) is not None:
            elapsed = monotonic() - began
            totals.bytes += len(data)
            _take(decoder.feed(data), writer, totals)
            if progress:
                progress(totals, elapsed)
            if (seconds is not None and elapsed >= seconds) or (
                epochs is not None and totals.epochs >= epochs
            ):
                break
    except KeyboardInterrupt:
        totals.interrupted = True
    _take(decoder.finish(), writer, totals)
    return totals


def _take(events: list[Event], writer: CaptureWriter, totals: Totals) -> None:
    messages: list[Message] = []
    for event in events:
        match event:
            case Frame(_, lost, message):
                if lost:
                    totals.lost_frames += lost
                    writer.loss(lost, 0)
                messages.append(message)
            case ConsoleText(data):
                writer.console(data)
            case CorruptFrame():
                # Before the first hello it is a line joined in the middle of a frame.
                if totals.hello:
                    totals.corrupt_frames += 1
                    writer.loss(0, 1)
    writer.messages(messages)
    for message in messages:
        _count(message, totals)


def _count(message: Message, totals: Totals) -> None:
    match message:
        case Hello():
            totals.hello = message
        case Pages(volume, epoch, _, page_ids, _):
            totals.records += len(page_ids)
            totals.pages.update((volume, page_id) for page_id in page_ids)
            totals.unfinished[volume, epoch] += len(page_ids)
        case EpochEnd(volume, epoch, _, records):
            totals.epochs += 1
            totals.missing_records += sum(records) - totals.unfinished.pop((volume, epoch), 0)
        case _:
            pass
