# SPDX-License-Identifier: MIT
"""Text of a target is told at once, each byte once, and a frame is never told as text."""

from __future__ import annotations

import random

import pytest

from tinyprof.wire.early_text import EarlyText
from tinyprof.wire.frames import FrameDecoder, encode_message
from tinyprof.wire.messages import FilePart, Hello, Message, Pages

BOOT = b"U-Boot 2026.01\r\nStarting kernel ...\r\n"


class Line:
    def __init__(self) -> None:
        self._decoder, self._early = FrameDecoder(), EarlyText()

    def read(self, data: bytes) -> bytes:
        events = self._decoder.feed(data)
        return self._early.take(events, self._decoder.pending, is_quiet=not data)


def test_lines_are_told_before_any_frame() -> None:
    line = Line()
    assert line.read(BOOT + b"log") == BOOT
    assert line.read(b"in: ") == b""
    assert line.read(b"") == b"login: "
    assert line.read(b"") == b""
    assert line.read(b"root\r\n") == b"root\r\n"


def test_text_that_a_frame_ends_is_told_once(hello: Hello) -> None:
    line = Line()
    assert line.read(BOOT) == BOOT
    assert line.read(b"last words" + encode_message(hello, 0)) == b"last words"
    assert line.read(BOOT + b"\0" + BOOT) == 2 * BOOT


def test_the_same_prompt_twice_is_told_twice(hello: Hello) -> None:
    line = Line()
    line.read(b"# ")
    assert line.read(b"") == b"# "
    assert line.read(encode_message(hello, 0) + b"# ") == b""
    assert line.read(b"") == b"# "


def test_a_stray_byte_at_power_on_hides_no_boot() -> None:
    line = Line()
    told = b"".join(line.read(b"\xff" * (not n) + BOOT) for n in range(20))
    assert told.count(b"Starting kernel") >= 12


@pytest.mark.parametrize("seed", range(3))
def test_no_part_of_a_frame_is_told_however_slowly_it_comes(hello: Hello, seed: int) -> None:
    rng = random.Random(seed)
    pages = tuple(sorted(rng.sample(range(10, 4000), 60)))
    messages: tuple[Message, ...] = (
        hello,
        Pages(0, 10, 10, pages, bytes(60)),
        FilePart(0, 1, 4, 16384, 8, 9, 14, 0, b"/usr/lib/a\nb\n/c"),
    )
    line = Line()
    for seq, message in enumerate(messages):
        for byte in encode_message(message, seq):
            assert line.read(bytes([byte])) == b""
            assert line.read(b"") == b""


def test_every_cut_of_a_line_tells_the_same_text(hello: Hello) -> None:
    whole = BOOT + encode_message(hello, 0) + b"and more\n" + b"\0" + b"the end\n"
    for cut in range(len(whole)):
        line = Line()
        assert line.read(whole[:cut]) + line.read(whole[cut:]) == BOOT + b"and more\nthe end\n"
