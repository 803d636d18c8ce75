# SPDX-License-Identifier: MIT
"""A capture gives back the bytes that arrived. A cut costs the chunk that it hits, and hostile
bytes hurt nobody."""

from __future__ import annotations

import errno
import io
import random
import zlib

import pytest

from tinyprof.capture.format import CHUNK_HEAD, CHUNK_MAX, MAGIC, CaptureError, Ending, Meta
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.errors import TinyprofError
from tinyprof.profile.resolve import make_profile
from tinyprof.wire.frames import ConsoleText, CorruptFrame, Event, encode_message
from tinyprof.wire.messages import Message
from tinyprof.wire.sequence import Frame

SEED = 20261124
META = Meta("0.1.0", "/dev/ttyACM0", 115_200, 1_795_000_000)


def written(
    pieces: list[bytes], index: ImageIndex | None = None, ending: Ending | None = None
) -> bytes:
    file = io.BytesIO()
    writer = CaptureWriter(file, META, index)
    for piece in pieces:
        writer.line(piece)
    if ending is not None:
        writer.end(ending)
    return file.getvalue()


def line_of(messages: list[Message]) -> bytes:
    return b"".join(encode_message(message, seq) for seq, message in enumerate(messages))


def read(data: bytes) -> tuple[CaptureReader, list[Event]]:
    reader = CaptureReader(io.BytesIO(data))
    return reader, list(reader.events())


def messages_in(events: list[Event]) -> list[Message]:
    return [event.message for event in events if isinstance(event, Frame)]


def test_the_line_comes_back_whole_in_whatever_pieces_it_came(
    story: list[Message], index: ImageIndex
) -> None:
    line = b"login: " + line_of(story)
    data = written([line[i : i + 7] for i in range(0, len(line), 7)], index, Ending.DURATION)
    reader, events = read(data)
    assert messages_in(events) == story
    assert [event.data for event in events if isinstance(event, ConsoleText)] == [b"login: "]
    assert (reader.meta, reader.index, reader.ending, reader.cut_at) == (
        META,
        index,
        Ending.DURATION,
        None,
    )


def test_a_capture_cut_anywhere_keeps_every_whole_chunk(
    story: list[Message], index: ImageIndex
) -> None:
    frames = [encode_message(message, seq) for seq, message in enumerate(story)]
    whole = written(frames, index)
    ends = [len(written(frames[:count], index)) for count in range(len(frames) + 1)]
    for size in range(len(MAGIC), len(whole)):
        reader, events = read(whole[:size])
        kept = sum(end <= size for end in ends[1:])
        assert messages_in(events) == story[:kept]
        assert (reader.cut_at is None) == (size in ends or size in _chunk_starts(whole))


def _chunk_starts(data: bytes) -> set[int]:
    at, starts = len(MAGIC), set()
    while at < len(data):
        starts.add(at)
        at += CHUNK_HEAD.size + CHUNK_HEAD.unpack_from(data, at)[1]
    return starts


def test_only_a_line_that_ended_can_have_cut_a_frame(story: list[Message]) -> None:
    line = line_of(story)[:-4]
    assert not isinstance(read(written([line], ending=Ending.INTERRUPTED))[1][-1], CorruptFrame)
    assert isinstance(read(written([line], ending=Ending.LINE_ENDED))[1][-1], CorruptFrame)


def test_a_large_index_goes_over_many_chunks(index: ImageIndex) -> None:
    large = ImageIndex("big", 1, index.fsid, "name", index.files * 3000)
    reader, _ = read(written([], large))
    assert reader.index == large


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a"),
        (MAGIC[:7], "not a"),
        (b"TPCAP\x09\r\n", "version 9"),
        (b"\x7fELF" * 9, "not a"),
    ],
)
def test_what_is_no_capture_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(CaptureError, match=said):
        CaptureReader(io.BytesIO(data))


def test_chunks_of_a_later_version_are_counted_and_passed_over(story: list[Message]) -> None:
    data = written([]) + _chunk(b"XTRA", b"steady") + written([line_of(story)])[len(MAGIC) :]
    reader, events = read(data)
    assert messages_in(events) == story
    assert reader.strange_chunks == 1


def _chunk(kind: bytes, data: bytes) -> bytes:
    return CHUNK_HEAD.pack(kind, len(data), zlib.crc32(kind + data)) + data


def test_a_size_over_the_limit_is_a_cut_and_is_never_read() -> None:
    class Watched(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert 0 <= size <= CHUNK_MAX
            return super().read(size)

    data = MAGIC + CHUNK_HEAD.pack(b"LINE", CHUNK_MAX + 1, 0) + bytes(100)
    reader = CaptureReader(Watched(data))
    assert list(reader.events()) == []
    assert reader.cut_at == len(MAGIC)


class FullDisk(io.BytesIO):
    """Takes so many bytes and no more, as a disk does: the write that hits the end is a short
    one."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        left = self._room - self.tell()
        if left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data[:left])


def test_a_full_disk_leaves_whole_chunks_only(story: list[Message]) -> None:
    frames = [encode_message(message, seq) for seq, message in enumerate(story)]
    one = len(written(frames[:1]))
    file = FullDisk(one + 20)
    writer = CaptureWriter(file, META)
    writer.line(frames[0])
    with pytest.raises(CaptureError, match="No space left"):
        writer.line(frames[1])
    reader, events = read(file.getvalue())
    assert messages_in(events) == story[:1]
    assert reader.cut_at is None


def test_a_mutated_capture_never_raises_anything_of_python(
    story: list[Message], index: ImageIndex
) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    plain = written([line_of(story)], index, Ending.LINE_ENDED)
    starts = sorted(_chunk_starts(plain))
    for _ in range(3_000):
        mutated = bytearray(plain)
        for _ in range(rng.randrange(1, 5)):
            mutated[rng.randrange(len(mutated))] = rng.choice(
                (0, 1, 0x7F, 0xFF, rng.randrange(256))
            )
        if rng.random() < 0.8:
            _seal(mutated, starts)
        try:
            make_profile([CaptureReader(io.BytesIO(bytes(mutated)))])
        except TinyprofError:
            continue


def _seal(data: bytearray, starts: list[int]) -> None:
    """Put head and checksum right again, so that the mutation reaches what is inside."""
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        body = bytes(data[start + CHUNK_HEAD.size : end])
        kind = bytes(data[start : start + 4])
        data[start : start + CHUNK_HEAD.size] = CHUNK_HEAD.pack(
            kind, len(body), zlib.crc32(kind + body)
        )
