# SPDX-License-Identifier: MIT
"""Cuts the bytes of a serial line into frames (docs/wire-format.md, "Frames").

Bytes come in, in pieces of any size. Frames, console text and corrupt stretches go out, in the
order in which the target sent them. The decoder keeps at most one stretch of bytes, trusts no
field, and never raises an error for what a line carries.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from tinyprof.errors import optional_module
from tinyprof.wire.elements import (
    MalformedMessage,
    checked_uint,
    message_elements,
    parse_message,
    type_of,
)
from tinyprof.wire.messages import (
    PATH_MAX,
    REPEATED,
    SEQ_MODULO,
    EpochLength,
    FilePart,
    HostMessage,
    Message,
    Rearm,
    Trace,
)
from tinyprof.wire.sequence import Frame, FrameSequence

cobs, msgpack = optional_module("cobs.cobs"), optional_module("msgpack")

FRAME_MAX = 254
"""Bytes: the longest body and its CRC together. COBS then costs exactly one byte."""

HELLO_VOLUMES = 2
"""Volumes that one hello names at most. A hello with fewer is the last of its series."""

PRIMER_PARTS = 1 << 14
"""Parts of files that a primer tells at most: their numbers must not run into each other. The
target tells its files again."""

STRETCH_MAX = 4096
"""Bytes: a stretch without a zero that is this long is no frame. It is handed on, so that memory
stays bounded."""

_SHOWN_CONTROLS = {ord(c): None for c in "\a\b\t\n\v\f\r\x1b"}
_SHOWN_BYTES = bytes((*_SHOWN_CONTROLS, *range(0x20, 0x7F)))
_TYPE_LIMIT = 1 << 32


@dataclass(frozen=True, slots=True)
class ConsoleText:
    """Printable bytes that stood between frames."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CorruptFrame:
    """A stretch between two zeros that is neither a frame nor text.

    `reason` says why. `repeated`: the sender repeats its frames, so this one is no loss. If the
    sender does not repeat it after all, a gap in the frames' numbers tells.
    """

    reason: str
    data: bytes
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class HostMark:
    """A mark that the recorder set. It is not on the line: a capture keeps it beside the line, at
    its place."""

    text: str


Event = Frame | ConsoleText | CorruptFrame | HostMark
"""One thing that a line said, or that the recorder noted at this place of it."""


class FrameDecoder:
    """Cuts a line at its zeros and says what each stretch is. Feed it pieces of any size.

    `sequence` keeps the numbers of the line's frames.
    """

    def __init__(self) -> None:
        self.sequence = FrameSequence()
        self._stretch = b""
        self._overlong = False
        self._last_frame = b""

    @property
    def pending(self) -> bytes:
        """The unfinished stretch: fewer than STRETCH_MAX bytes that no zero has ended yet."""
        return self._stretch

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completed, in the order of the line."""
        events: list[Event] = []
        *ended, rest = data.split(b"\0")
        if ended:
            if first := self._stretch + ended[0]:
                self._end_stretch(first, events)
            self._stretch, self._overlong = b"", False
            for stretch in ended[1:]:
                if stretch:
                    self._end_stretch(stretch, events)
        self._stretch += rest
        while len(self._stretch) >= STRETCH_MAX:
            self._overlong = True
            self._not_a_frame(self._stretch[:STRETCH_MAX], "no frame end", events)
            self._stretch = self._stretch[STRETCH_MAX:]
        return events

    def finish(self, *, line_ended: bool = True) -> list[Event]:
        """Return the events that the end of the line completes. A frame without its closing zero
        is still a frame.

        `line_ended=False`: only the recording ended, and the line goes on. Then half a frame is
        not corrupt.
        """
        events = self.feed(b"\0")
        kept = [event for event in events if line_ended or not isinstance(event, CorruptFrame)]
        return [*kept, *self.sequence.flush()]

    def _end_stretch(self, stretch: bytes, events: list[Event]) -> None:
        if self._overlong or len(stretch) > FRAME_MAX + 1:
            for start in range(0, len(stretch), STRETCH_MAX):
                self._not_a_frame(
                    stretch[start : start + STRETCH_MAX], "too long for a frame", events
                )
            return
        if stretch == self._last_frame:
            # A sender whose port vanished in the middle of a frame sends that frame again. Both
            # copies may arrive.
            self.sequence.same_again()
            return
        body = _checked_body(stretch)
        if body is None:
            self._not_a_frame(stretch, "bad checksum", events)
            return
        try:
            elements = _unpack(body)
            seq = checked_uint(elements[1], SEQ_MODULO, "seq")
            kind = checked_uint(elements[0], _TYPE_LIMIT, "type")
        except MalformedMessage as error:
            events.append(CorruptFrame(str(error), stretch))
            return
        self._last_frame = stretch
        repeated = REPEATED <= kind < 2 * REPEATED
        message = None
        try:
            message = parse_message(kind - REPEATED if repeated else kind, elements[2:])
        except MalformedMessage as error:
            events.append(CorruptFrame(str(error), stretch))
        if isinstance(message, HostMessage):
            # Until the agent has made its line raw, the line may echo the host's own commands.
            events.append(Frame(seq, 0, message))
        else:
            # A frame with a malformed message has arrived too, so its number is not missing.
            events += self.sequence.take(seq, message, repeated=repeated)

    def _not_a_frame(self, stretch: bytes, reason: str, events: list[Event]) -> None:
        text = (
            mostly_text(stretch)
            if self._overlong or len(stretch) > FRAME_MAX + 1
            else is_text(stretch)
        )
        events.append(
            ConsoleText(stretch)
            if text
            else CorruptFrame(reason, stretch, self.sequence.may_repeat)
        )


def is_text(stretch: bytes) -> bool:
    """Whether every byte could be console output: printable UTF-8, or a control that a terminal
    acts on."""
    try:
        return stretch.decode("utf-8").translate(_SHOWN_CONTROLS).isprintable()
    except UnicodeDecodeError:
        return False


def mostly_text(stretch: bytes) -> bool:
    """Whether nine tenths of a long stretch are printable. Such a stretch may be cut inside a
    character."""
    return is_text(stretch) or len(stretch.translate(None, _SHOWN_BYTES)) * 10 <= len(stretch)


def _checked_body(stretch: bytes) -> bytes | None:
    try:
        plain: bytes = cobs.decode(stretch)
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


def primer(sequence: FrameSequence, files: Iterable[FilePart] = ()) -> bytes:
    """Return frames that tell a new decoder what this one has learned, so that it can read on from
    here. `files`: those that the target has told, each with its whole path."""
    hello, begin, expected = sequence.whereabouts()
    messages: list[Message] = []
    if hello:
        # A target that can repeat and has not begun to will not begin now. Corrupt frames are
        # losses from here on.
        hello = hello if sequence.may_repeat else replace(hello, window=0)
        volumes = hello.volumes
        parts = [
            volumes[at : at + HELLO_VOLUMES] for at in range(0, len(volumes), HELLO_VOLUMES)
        ] or [()]
        messages += [replace(hello, volumes=part) for part in parts]
        messages += islice(chain.from_iterable(map(file_parts, files)), PRIMER_PARTS)
    first = expected - len(messages)
    frames = [
        encode_message(message, (first + number) % SEQ_MODULO)
        for number, message in enumerate(messages)
    ]
    if begin:
        frames.append(encode_message(begin, expected))
    return b"".join(frames)


def file_parts(file: FilePart) -> Iterator[FilePart]:
    """Cut a file's message, which has its whole path, into messages that fit a frame."""
    longest = replace(file, offset=PATH_MAX, part=b"")
    room = FRAME_MAX - 4 - len(_packed(longest, SEQ_MODULO - 1, 0))
    for at in range(0, len(file.part), room):
        yield replace(file, offset=at, part=file.part[at : at + room])


def encode_message(message: Message, seq: int, *, repeated: bool = False) -> bytes:
    """Return one whole frame with both zeros. Raises ValueError if the message does not fit
    FRAME_MAX."""
    return encode_frame(_packed(message, seq, REPEATED if repeated else 0))


def _packed(message: Message, seq: int, more: int) -> bytes:
    """Return the body of a message. `more` is added to its type."""
    packed: bytes = msgpack.packb(
        [type_of(message) + more, seq % SEQ_MODULO, *message_elements(message)],
        unicode_errors="surrogateescape",
    )
    return packed


def encode_frame(body: bytes) -> bytes:
    """Add CRC, COBS and zeros to a packed body. Raises ValueError if it does not fit FRAME_MAX."""
    if len(body) + 4 > FRAME_MAX:
        raise ValueError(f"a body of {len(body)} bytes does not fit a frame of {FRAME_MAX}")
    coded: bytes = cobs.encode(body + struct.pack("<I", zlib.crc32(body)))
    return b"\0" + coded + b"\0"


Command = HostMark | EpochLength | Rearm | Trace
"""A wish that the recorder carries out while it records: begin a phase, change the length of
epochs, end the epoch now, stop or start the target's recording. A mark also ends the epoch. Only a
mark works on a one-way line."""
