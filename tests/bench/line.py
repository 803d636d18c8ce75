# SPDX-License-Identifier: MIT
"""Lines to measure with, of any length, made while they are read.

`synthetic` is a busy target that sends each frame once: epochs of 480 first touches, in runs of
neighbours. `boot` is the reference boot, which the package has for `record sim:`, from a target
that repeats what is not acknowledged. Both say the same epochs again and again under growing
numbers, in frames as full as a target fills them that has more to say than its line carries.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice

import msgpack

from tinyprof.capture.index import ImageIndex
from tinyprof.capture.reader import CaptureReader
from tinyprof.pages import Fsid
from tinyprof.record.sim import RECORDED
from tinyprof.wire.frames import FRAME_MAX, encode_frame, encode_message
from tinyprof.wire.messages import REPEATED, SEQ_MODULO, Begin, Hello, MessageType, Pages, Volume
from tinyprof.wire.ports.link import CHUNK
from tinyprof.wire.sequence import Frame
from tinyprof.wire.touches import join_records

SEED = 20261124
SYNTHETIC_EPOCHS = 200
SYNTHETIC_RECORDS = 480
PAGES = 6449
ARRAY_OF_6 = b"\x96"
HEAD_MAX = 16
"""Bytes of a pages message before its records, with the largest numbers."""

WINDOW = 32


@dataclass(frozen=True, slots=True)
class Epoch:
    """The content of one epoch, without its number: packed records in frames, and their count by
    kind."""

    packed: tuple[bytes, ...]
    records: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """`epochs`, for ever, from a target that says `hello`; `index` is of its image, where there is
    one."""

    name: str
    hello: Hello
    epochs: tuple[Epoch, ...]
    index: ImageIndex | None = None

    @property
    def records(self) -> int:
        """How many there are before it says the same again."""
        return sum(sum(epoch.records) for epoch in self.epochs)

    def epochs_of(self, records: int) -> int:
        """How many epochs have about so many records."""
        return records * len(self.epochs) // self.records

    def pieces(self, epochs: int) -> Iterator[bytes]:
        """So much of the line, in pieces as a file is read."""
        piece = bytearray()
        for frame in self._frames(epochs):
            piece += frame
            if len(piece) >= CHUNK:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece)

    def _frames(self, epochs: int) -> Iterator[bytes]:
        repeats = REPEATED if self.hello.window else 0
        yield encode_message(self.hello, 0)
        yield encode_message(Begin(1), 1) if repeats else b""
        pack = msgpack.Packer().pack
        seqs = count(1)

        def frame(kind: MessageType, *elements: bytes) -> bytes:
            seq = next(seqs) % SEQ_MODULO
            return encode_frame(ARRAY_OF_6 + pack(kind + repeats) + pack(seq) + b"".join(elements))

        for number in range(1, epochs + 1):
            epoch = self.epochs[number % len(self.epochs) - 1]
            when = b"\0" + pack(number) + pack(number * 1000 % (1 << 32))
            for packed in epoch.packed:
                yield frame(MessageType.PAGES, when, packed)
            yield frame(MessageType.EPOCH_END, when, pack(epoch.records))


def packed_epoch(page_ids: tuple[int, ...], kinds: bytes) -> Epoch:
    """An epoch of these touches, in as few frames as hold them."""
    packed = []
    at = 0
    while at < len(page_ids):
        fit = _fitting(page_ids[at : at + FRAME_MAX], kinds[at : at + FRAME_MAX])
        packed.append(_packed(page_ids[at : at + fit], kinds[at : at + fit]))
        at += fit
    return Epoch(tuple(packed), (kinds.count(0), kinds.count(1), kinds.count(2), kinds.count(3)))


def _packed(page_ids: tuple[int, ...], kinds: bytes) -> bytes:
    packed: bytes = msgpack.packb(join_records(page_ids, kinds))
    return packed


def _fitting(page_ids: tuple[int, ...], kinds: bytes) -> int:
    """How many of the touches one frame holds."""
    room = FRAME_MAX - 4 - HEAD_MAX

    def size(many: int) -> int:
        return len(_packed(page_ids[:many], kinds[:many]))

    return bisect_right(range(len(page_ids) + 1), room, key=size) - 1


def synthetic() -> Line:
    rng = random.Random(SEED)
    volume = Volume(0, Fsid(1, 2, PAGES, 400), 13_000_000, "bench", True)
    hello = Hello(1, "0.1.0", "6.1.192", "armv7l", 4096, bytes(8), 1000, 1, (volume,))
    epochs = []
    for _ in range(SYNTHETIC_EPOCHS):
        ids = tuple(islice(_runs(rng), SYNTHETIC_RECORDS))
        epochs.append(packed_epoch(ids, bytes(rng.choices((0, 1, 3), (18, 1, 1), k=len(ids)))))
    return Line("synthetic", hello, tuple(epochs))


def _runs(rng: random.Random) -> Iterator[int]:
    for first in rng.sample(range(400_000, 400_000 + PAGES, 12), PAGES // 12):
        yield from range(first, first + rng.randrange(1, 12))


def boot() -> Line:
    touches: dict[int, list[Pages]] = {}
    with RECORDED.open("rb") as file:
        reader = CaptureReader(file)
        for event in reader.events():
            message = event.message if isinstance(event, Frame) else None
            if isinstance(message, Hello):
                hello = replace(message, window=WINDOW)
            elif isinstance(message, Pages):
                touches.setdefault(message.epoch, []).append(message)
    epochs = (
        packed_epoch(
            tuple(page_id for message in messages for page_id in message.page_ids),
            b"".join(message.kinds for message in messages),
        )
        for messages in touches.values()
    )
    return Line("boot", hello, tuple(epochs), reader.index)
