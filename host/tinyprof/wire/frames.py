# SPDX-License-Identifier: MIT
"""The serial line's bytes as frames: docs/wire-format.md in Python, with messages.py and order.py.

Raw bytes come in, in pieces of any size; frames, console text and corrupt stretches go out, in the
order in which they were sent. It never keeps more than one run of bytes, trusts no field, and
never raises on what a line says.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import Any

import msgpack
from cobs import cobs

from tinyprof.wire.messages import (
    MARK_MAX,
    NO_BOOT,
    PROTOCOL,
    REPEATED,
    SEQ_MODULO,
    Ack,
    Begin,
    EpochEnd,
    EpochLength,
    Hello,
    HelloPlease,
    HostMessage,
    MalformedMessage,
    Mark,
    Message,
    MessageType,
    Pages,
    Rearm,
    RepeatPlease,
    Status,
    Trace,
    UnknownMessage,
    UnknownProtocol,
    Volume,
    checked_uint,
    is_reboot,
    joined_hello,
    message_elements,
    parse_message,
    type_of,
)
from tinyprof.wire.sequence import Frame, FrameSequence

__all__ = [
    "FRAME_MAX",
    "HELLO_VOLUMES",
    "MARK_MAX",
    "NO_BOOT",
    "PROTOCOL",
    "REPEATED",
    "RUN_MAX",
    "Ack",
    "Begin",
    "ConsoleText",
    "CorruptFrame",
    "EpochEnd",
    "EpochLength",
    "Event",
    "Frame",
    "FrameDecoder",
    "Hello",
    "HelloPlease",
    "HostMark",
    "HostMessage",
    "MalformedMessage",
    "Mark",
    "Message",
    "MessageType",
    "Pages",
    "Rearm",
    "RepeatPlease",
    "Status",
    "Trace",
    "UnknownMessage",
    "UnknownProtocol",
    "Volume",
    "encode_frame",
    "encode_message",
    "is_reboot",
    "is_text",
    "joined_hello",
    "mostly_text",
    "parse_message",
    "primer",
]

FRAME_MAX = 254
"""Bytes of body and CRC together: COBS then costs exactly one byte."""

HELLO_VOLUMES = 2
"""A hello names no more, and one with fewer is the last of a series."""

RUN_MAX = 4096
"""A run of this many bytes without a zero is no frame and is handed on, so that memory stays
bounded."""

_SHOWN_CONTROLS = {ord(c): None for c in "\a\b\t\n\v\f\r\x1b"}
_TYPE_LIMIT = 1 << 32


@dataclass(frozen=True, slots=True)
class ConsoleText:
    """Printable bytes that stood between frames."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CorruptFrame:
    """Bytes between zeros that are neither a frame nor text, and why.

    `repeated`: what frame it was, its sender repeats, so that it is no loss. Should the sender
    turn out not to, a gap in the numbers says so.
    """

    reason: str
    data: bytes
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class HostMark:
    """The recorder's own mark: not on the line but beside it in a capture, at the place where it
    was set."""

    text: str


Event = Frame | ConsoleText | CorruptFrame | HostMark


class FrameDecoder:
    """Cuts a byte stream at its zeros and classifies each run. Feed it pieces of any size.

    `sequence` knows the numbers of its frames.
    """

    def __init__(self) -> None:
        self.sequence = FrameSequence()
        self._run = b""
        self._overlong = False
        self._last_frame = b""

    @property
    def pending(self) -> bytes:
        """The unfinished run: fewer than RUN_MAX bytes that no zero has ended yet."""
        return self._run

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completed, in the order of the line."""
        events: list[Event] = []
        *ended, rest = data.split(b"\0")
        if ended:
            if first := self._run + ended[0]:
                self._end_run(first, events)
            self._run, self._overlong = b"", False
            for run in ended[1:]:
                if run:
                    self._end_run(run, events)
        self._run += rest
        while len(self._run) >= RUN_MAX:
            self._overlong = True
            self._not_a_frame(self._run[:RUN_MAX], "no frame end", events)
            self._run = self._run[RUN_MAX:]
        return events

    def finish(self, *, line_ended: bool = True) -> list[Event]:
        """Classify what is left at the end: a frame without its closing zero is still a frame.

        Where the line did not end and only listening did, the start of a frame is no corruption.
        """
        events = self.feed(b"\0")
        kept = [event for event in events if line_ended or not isinstance(event, CorruptFrame)]
        return [*kept, *self.sequence.flush()]

    def _end_run(self, run: bytes, events: list[Event]) -> None:
        if self._overlong or len(run) > FRAME_MAX + 1:
            for start in range(0, len(run), RUN_MAX):
                self._not_a_frame(run[start : start + RUN_MAX], "too long for a frame", events)
            return
        if run == self._last_frame:
            # A sender whose port vanished in the middle of a frame sends it again, and both may
            # arrive.
            self.sequence.same_again()
            return
        body = _checked_body(run)
        if body is None:
            self._not_a_frame(run, "bad checksum", events)
            return
        try:
            elements = _unpack(body)
            seq = checked_uint(elements[1], SEQ_MODULO, "seq")
            kind = checked_uint(elements[0], _TYPE_LIMIT, "type")
        except MalformedMessage as error:
            events.append(CorruptFrame(str(error), run))
            return
        self._last_frame = run
        repeated = REPEATED <= kind < 2 * REPEATED
        message = None
        try:
            message = parse_message(kind - REPEATED if repeated else kind, elements[2:])
        except MalformedMessage as error:
            events.append(CorruptFrame(str(error), run))
        if isinstance(message, HostMessage):
            # Where the target's line echoes, until the agent has made it raw: not one of its
            # frames.
            events.append(Frame(seq, 0, message))
        else:
            # One without sense came as well, and so is not missing.
            events += self.sequence.take(seq, message, repeated=repeated)

    def _not_a_frame(self, run: bytes, reason: str, events: list[Event]) -> None:
        text = mostly_text(run) if self._overlong or len(run) > FRAME_MAX + 1 else is_text(run)
        events.append(
            ConsoleText(run) if text else CorruptFrame(reason, run, self.sequence.may_repeat)
        )


def is_text(run: bytes) -> bool:
    """Whether every byte could be console output: printable UTF-8 and the controls a terminal acts
    on."""
    try:
        return run.decode("utf-8").translate(_SHOWN_CONTROLS).isprintable()
    except UnicodeDecodeError:
        return False


def mostly_text(run: bytes) -> bool:
    """Whether nine tenths of a long run are printable: it may be cut inside a character."""
    shown = sum(c in b"\a\b\t\n\v\f\r\x1b" or 0x20 <= c < 0x7F for c in run)
    return is_text(run) or shown * 10 >= len(run) * 9


def _checked_body(run: bytes) -> bytes | None:
    try:
        plain: bytes = cobs.decode(run)
    except cobs.DecodeError:
        return None
    body = plain[:-4]
    if len(plain) < 4 or zlib.crc32(body) != int.from_bytes(plain[-4:], "little"):
        return None
    return body


def _unpack(body: bytes) -> list[Any]:
    try:
        elements = msgpack.unpackb(
            body,
            raw=False,
            unicode_errors="surrogateescape",
            strict_map_key=True,
            max_str_len=FRAME_MAX,
            max_bin_len=FRAME_MAX,
            max_array_len=FRAME_MAX,
            max_map_len=FRAME_MAX,
            max_ext_len=FRAME_MAX,
        )
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise MalformedMessage(f"body is not msgpack: {type(error).__name__}") from None
    if type(elements) is not list or len(elements) < 2:
        raise MalformedMessage("body is not an array of type and seq")
    return elements


def primer(sequence: FrameSequence) -> bytes:
    """Frames that tell a new decoder what this one has learned, so that it can read on from
    here."""
    hello, begin, expected = sequence.whereabouts()
    frames = []
    if hello:
        # A target that could repeat and has not begun to will not: what is corrupt from here on is
        # lost.
        hello = hello if sequence.may_repeat else replace(hello, window=0)
        volumes = hello.volumes
        parts = [
            volumes[at : at + HELLO_VOLUMES] for at in range(0, len(volumes), HELLO_VOLUMES)
        ] or [()]
        for number, part in enumerate(parts):
            seq = expected - len(parts) + number
            frames.append(encode_message(replace(hello, volumes=part), seq % SEQ_MODULO))
    if begin:
        frames.append(encode_message(begin, expected))
    return b"".join(frames)


def encode_message(message: Message, seq: int, *, repeated: bool = False) -> bytes:
    """One whole frame with both zeros. Raises ValueError where the message does not fit
    FRAME_MAX."""
    kind = type_of(message) + (REPEATED if repeated else 0)
    packed: bytes = msgpack.packb(
        [kind, seq % SEQ_MODULO, *message_elements(message)], unicode_errors="surrogateescape"
    )
    return encode_frame(packed)


def encode_frame(body: bytes) -> bytes:
    """Frame a packed body: CRC, COBS, zeros. Raises ValueError above FRAME_MAX."""
    if len(body) + 4 > FRAME_MAX:
        raise ValueError(f"a body of {len(body)} bytes does not fit a frame of {FRAME_MAX}")
    coded: bytes = cobs.encode(body + struct.pack("<I", zlib.crc32(body)))
    return b"\0" + coded + b"\0"


Command = HostMark | EpochLength | Rearm | Trace
"""What whoever records may want meanwhile: a phase to begin, epochs of another length, one to end
now, and the target to record no more, or again. A mark ends an epoch, too, and alone works on a
line of one way."""
