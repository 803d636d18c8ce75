# SPDX-License-Identifier: MIT
"""The frame decoder takes lines that cut, merge, lose, garble and interleave the target's
frames."""

from __future__ import annotations

import json
import random
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
from cobs import cobs

from tinyprof.heat.told_files import ToldFiles
from tinyprof.pages import Fsid, Kind
from tinyprof.wire.elements import MalformedMessage, parse_message
from tinyprof.wire.frames import (
    FRAME_MAX,
    STRETCH_MAX,
    ConsoleText,
    CorruptFrame,
    Event,
    FrameDecoder,
    encode_frame,
    encode_message,
)
from tinyprof.wire.messages import (
    REPEATED,
    EpochEnd,
    EpochLength,
    FilePart,
    HeldMapping,
    Hello,
    HelloPlease,
    Mappings,
    Mark,
    Message,
    Pages,
    Rearm,
    Status,
    Trace,
    UnknownMessage,
    Volume,
)
from tinyprof.wire.sequence import Frame
from tinyprof.wire.source import TouchSource

SEED = 20261124
VOLUME = Volume(0, Fsid(0xE7D3B8E0, 0, 6449, 412), 12_988_416, "Compressed", True)
HELLO = Hello(1, "0.1.0", "6.1.192", "armv7l", 4096, bytes(range(8)), 1000, 1, (VOLUME,))
FILES = Volume(1, Fsid(0, 0, 0, 0), 0, "", True, is_files=True)
PAGES = Pages(0, 1, 701, (0x627A0, 0x1CE0B, 0x1CE0C, 0x1CE0C), bytes([Kind.FILE, 0, 0, Kind.READ]))
MESSAGES: tuple[Message, ...] = (
    HELLO,
    PAGES,
    EpochEnd(0, 1, 1000, (2, 1, 0, 1)),
    EpochEnd(0, 2, 2000, (0, 0, 0, 0), 4, ((0x627A0, 2), (0x1CE0B, 300))),
    EpochEnd(0, 3, 3000, (0, 0, 0, 0), 4, ()),
    Status(1001, 0, 0, 0),
    Status(1001, 0, 0, 0, lost_events=7),
    replace(HELLO, volumes=(FILES,), source=TouchSource(1, 1, 16, 7, True)),
    FilePart(1, 500, 3, 9000, 8 << 20 | 1, 77, 12, 0, b"/usr/bin"),
    FilePart(1, 500, 3, 9000, 8 << 20 | 1, 77, 12, 8, b"/a\xff!"),
    Mappings(0, 3, (HeldMapping(0x627A0, 147, 2), HeldMapping(0x1CE0B, 3, 1))),
    Mappings(0, 4, ()),
    Mark(1, 1002, "boot done ü"),
    HelloPlease(),
    EpochLength(250),
    Rearm(),
    Trace(False),
)


def line_of(messages: tuple[Message, ...]) -> bytes:
    return b"".join(encode_message(message, seq) for seq, message in enumerate(messages))


def messages_in(events: list[Event]) -> list[Message]:
    return [event.message for event in events if isinstance(event, Frame)]


def test_every_message_comes_back_as_it_was_sent() -> None:
    assert messages_in(FrameDecoder().feed(line_of(MESSAGES))) == list(MESSAGES)


def test_the_shared_vectors_decode_and_come_out_the_same() -> None:
    vectors = json.loads((Path(__file__).parents[2] / "vectors/wire.json").read_text())
    for vector in (*vectors["messages"], *vectors["sources"], *vectors["lost_events"]):
        frame = bytes.fromhex(vector["frame"])
        kind, seq, *elements = msgpack.unpackb(cobs.decode(frame[1:-1])[:-4])
        repeated = kind > REPEATED
        message = parse_message(kind - REPEATED * repeated, elements)
        assert (seq, repeated) == (vector["seq"], vector["repeated"])
        assert encode_message(message, seq, repeated=repeated) == frame, vector["name"]
        if isinstance(message, EpochEnd):
            told = (
                [list(file) for file in message.processes]
                if message.processes is not None
                else None
            )
            assert told == vector.get("processes"), vector["name"]
        elif isinstance(message, Hello):
            source = astuple(message.source) if message.source else None
            assert source == (tuple(vector["source"]) if "source" in vector else None)
            told_flags = [volume[-1] for volume in vector["volumes"]]
            assert told_flags == [v.recording | 2 * v.is_files for v in message.volumes]
        elif isinstance(message, Status):
            assert message.lost_events == vector.get("lost_events")


def test_the_shared_files_come_back_whole_and_go_out_as_full_frames() -> None:
    vectors = json.loads((Path(__file__).parents[2] / "vectors/wire.json").read_text())["files"]
    for vector in vectors:
        decoder, told = FrameDecoder(), ToldFiles()
        parts = messages_in(decoder.feed(bytes.fromhex("".join(vector["frames"]))))
        for seq, part in enumerate(parts, start=vector["seq"]):
            assert isinstance(part, FilePart)
            told.take(part)
            assert encode_message(part, seq).hex() == vector["frames"][seq - vector["seq"]]
        (file,) = told
        names = ("volume", "page_id", "pages", "size", "device", "inode")
        assert [getattr(file, name) for name in names] == [vector[name] for name in names]
        assert file.path.encode("utf-8", "surrogateescape").hex() == vector["path"]
        assert not told.refused


def test_the_shared_mappings_come_back_and_go_out_as_full_frames() -> None:
    vectors = json.loads((Path(__file__).parents[2] / "vectors/wire.json").read_text())
    for vector in vectors["mappings"]:
        told = messages_in(FrameDecoder().feed(bytes.fromhex("".join(vector["frames"]))))
        held = []
        for at, message in enumerate(told):
            assert isinstance(message, Mappings)
            assert (message.volume, message.epoch) == (vector["volume"], vector["epoch"])
            seq = (vector["seq"] + at) % 65_536
            assert encode_message(message, seq).hex() == vector["frames"][at]
            held += [list(astuple(mapping)) for mapping in message.held]
        assert held == vector["held"], vector["name"]


@pytest.mark.parametrize(
    "elements",
    [
        [0, 1],
        [0, 0, [19, 1, 1]],
        [0, 1, 5],
        [0, 1, [19, 1]],
        [0, 1, [None, 1, 1]],
        [0, 1, [-1, 1, 1]],
        [0, 1, [19, 0, 1]],
        [0, 1, [19, 1, 0]],
        [0, 1, [19, 1, 65_536]],
        [0, 1, [(1 << 27) - 1, 2, 1]],
        [0, 1, [(1 << 27) - 1, 1, 1, 1, 1, 1]],
    ],
)
def test_mappings_that_cannot_be_are_malformed(elements: list[Any]) -> None:
    with pytest.raises(MalformedMessage):
        parse_message(7, elements)


def test_a_line_cut_anywhere_decodes_the_same() -> None:
    line = line_of(MESSAGES)
    for cut in range(len(line) + 1):
        decoder = FrameDecoder()
        assert messages_in(decoder.feed(line[:cut]) + decoder.feed(line[cut:])) == list(MESSAGES)


@pytest.mark.parametrize(
    ("then", "kind", "size"), [(100_001, 0, 1), (100_001, 3, 3), (70_000, 0, 2), (50_000, 0, 4)]
)
def test_a_record_costs_by_its_distance_from_a_place_and_its_kind(
    then: int, kind: int, size: int
) -> None:
    """The next page, the same as read(), one where the program was before, and one farther off
    that."""
    been = (70_000, 100_000)
    one = encode_message(Pages(0, 1, 5, been, bytes(2)), 0)
    two = encode_message(Pages(0, 1, 5, (*been, then), bytes([0, 0, kind])), 0)
    assert len(two) - len(one) == size


def test_console_text_between_frames_is_kept_apart() -> None:
    line = (
        b"[ 0.1] booting\r\n"
        + encode_message(HELLO, 0)
        + "käfig\n".encode()
        + encode_message(PAGES, 1)
    )
    events = FrameDecoder().feed(line)
    assert [event.data for event in events if isinstance(event, ConsoleText)] == [
        b"[ 0.1] booting\r\n",
        "käfig\n".encode(),
    ]
    assert messages_in(events) == [HELLO, PAGES]


def test_missing_frames_are_counted_before_the_next_good_one() -> None:
    decoder = FrameDecoder()
    decoder.feed(encode_message(HELLO, 65_535))
    (event,) = decoder.feed(encode_message(PAGES, 3))
    assert isinstance(event, Frame)
    assert event.lost == 3


def test_a_frame_that_comes_twice_in_a_row_counts_once() -> None:
    frame = encode_message(PAGES, 5)
    decoder = FrameDecoder()
    events = decoder.feed(frame + frame + encode_message(Status(1, 0, 0, 0), 6)) + decoder.finish()
    assert [(event.seq, event.lost) for event in events if isinstance(event, Frame)] == [
        (5, 0),
        (6, 0),
    ]


@pytest.mark.parametrize("before", [3, 40_000])
def test_a_hello_of_another_boot_starts_the_numbers_again(before: int) -> None:
    again = replace(HELLO, boot_id=b"2nd boot")
    line = encode_message(HELLO, before) + encode_message(again, 2) + encode_message(PAGES, 3)
    events = FrameDecoder().feed(line)
    assert [event.lost for event in events if isinstance(event, Frame)] == [0, 2, 0]
    assert [event.restarted for event in events if isinstance(event, Frame)] == [
        False,
        True,
        False,
    ]


def test_a_flipped_bit_costs_one_frame_and_no_other() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    frames = [encode_message(message, seq) for seq, message in enumerate(MESSAGES[:4])]
    for _ in range(2_000):
        hit = rng.randrange(len(frames))
        broken = bytearray(frames[hit])
        at = rng.randrange(1, len(broken) - 1)
        broken[at] ^= 1 << rng.randrange(8)
        line = b"".join(bytes(broken) if i == hit else frame for i, frame in enumerate(frames))
        expected = [message for i, message in enumerate(MESSAGES[:4]) if i != hit]
        decoder = FrameDecoder()
        assert messages_in(decoder.feed(line) + decoder.finish()) == expected


def test_an_unknown_type_is_counted_not_refused() -> None:
    (event,) = FrameDecoder().feed(encode_frame(msgpack.packb([99, 0, "later"])))
    assert isinstance(event, Frame)
    assert event.message == UnknownMessage(99)


def test_a_file_without_a_path_is_no_malformed_message() -> None:
    (event,) = FrameDecoder().feed(
        encode_frame(msgpack.packb([6, 0, 1, 9, 2, 8192, 0, 0, 0, 0, b""]))
    )
    assert isinstance(event, Frame)
    assert event.message == FilePart(1, 9, 2, 8192, 0, 0, 0, 0, b"")


def test_elements_added_by_a_later_version_are_ignored() -> None:
    (event,) = FrameDecoder().feed(encode_frame(msgpack.packb([4, 0, 1, 2, 3, 4, 5, 6, 7, "new"])))
    assert isinstance(event, Frame)
    assert event.message == Status(1, 2, 3, 4, 5, 6, 7)


@pytest.mark.parametrize(
    "body",
    [
        [2, 0, 0, 1, 5],
        [2, 0, 0, 1, 5, "records"],
        [2, 0, 0, 1, 5, [-4]],
        [2, 0, 0, 1, 5, [(1 << 27) * 4]],
        [2, 0, 0, 1, 5, [1.5]],
        [2, 0, 0, 1, 5, [[0, 7]]],
        [2, 0, 0, 1, 5, [[4, 7]]],
        [2, 0, 0, 1, 5, [[1, True]]],
        [2, 0, 0, 1, 5, [[1, 7, 7]]],
        [3, 0, 0, 1, 5, [1, 2, 3]],
        [6, 0, 1, 0, 1, 1, 1, 1, 4, 0],
        [6, 0, 1, 0, 1, 1, 1, 1, 4, 0, "/bin"],
        [6, 0, 1, 0, 1, 1, 1, 1, 4, 0, b""],
        [6, 0, 1, 0, 1, 1, 1, 1, 4, 1, b"/bin"],
        [6, 0, 1, 0, 1, 1, 1, 1, 4096, 0, b"/bin"],
        [6, 0, 1, (1 << 27) - 1, 2, 1, 1, 1, 4, 0, b"/bin"],
        [6, 0, 1, 1 << 27, 0, 1, 1, 1, 4, 0, b"/bin"],
        [6, 0, 1, 0, 1, 1 << 32, 1, 1, 4, 0, b"/bin"],
        [1, 0, 1, "a", "k", "m", 4096, bytes(8), 1, 1, [], 32, [1, 1, 12, 15]],
        [1, 0, 1, "a", "k", "m", 4096, bytes(8), 1, 1, [], 32, [1, 1, 12, 15, None]],
        [1, 0, 1, "a", "k", "m", 4096, bytes(8), 1, 1, [], 32, None],
        [3, 0, 0, 1, 5, [1, 2, 3, -1]],
        [3, 0, 0, 1, 5, [1, 2, 3, 4], 10, 7],
        [3, 0, 0, 1, 5, [1, 2, 3, 4], 10, [7]],
        [3, 0, 0, 1, 5, [1, 2, 3, 4], 10, [7, 2, -8, 2]],
        [3, 0, 0, 1, 5, [1, 2, 3, 4], 10, [True, 2]],
        [3, 0, 0, 1, 5, [1, 2, 3, 4], 10, [7, 65_536]],
        [1, 0, 1, "a" * 32, "k", "a", 4096, bytes(8), 0, 1, []],
        [1, 0, 1, "a", "k", "a", 4096, bytes(7), 0, 1, []],
        ["pages", 0],
        [2, 65_536, 0, 1, 5, []],
        [],
    ],
)
def test_a_body_that_breaks_the_contract_is_corrupt(body: list[object]) -> None:
    (event,) = FrameDecoder().feed(encode_frame(msgpack.packb(body)))
    assert isinstance(event, CorruptFrame)


def test_a_run_without_zeros_does_not_grow_memory() -> None:
    decoder = FrameDecoder()
    for _ in range(100):
        decoder.feed(b"\xfe" * 1000)
        assert len(decoder.pending) < STRETCH_MAX


def test_no_byte_is_lost_from_what_is_not_a_frame() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    garbage = bytes(rng.randrange(1, 256) for _ in range(20_000))
    decoder = FrameDecoder()
    events = decoder.feed(garbage) + decoder.finish()
    assert b"".join(e.data for e in events if isinstance(e, ConsoleText | CorruptFrame)) == garbage


def test_mutated_lines_never_raise() -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    line = line_of(MESSAGES)
    for _ in range(20_000):
        mutated = bytearray(line)
        for _ in range(rng.randrange(1, 6)):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        decoder = FrameDecoder()
        decoder.feed(bytes(mutated))
        decoder.finish()


def test_a_message_too_long_for_a_frame_is_refused_by_the_encoder() -> None:
    with pytest.raises(ValueError, match=str(FRAME_MAX)):
        encode_message(Pages(0, 1, 5, tuple(range(0, 1 << 20, 1 << 10)), bytes(1 << 10)), 0)
