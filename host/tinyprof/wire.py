# SPDX-License-Identifier: MIT
"""The serial line's bytes as messages: docs/wire-format.md in Python.

Raw bytes come in, in pieces of any size; frames, console text and corrupt stretches go out, in the order of
the line. It never keeps more than one run of bytes, trusts no field, and never raises on what a line says.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import msgpack
from cobs import cobs

from tinyprof.cramfs import Fsid
from tinyprof.records import MalformedRecords, join_records, split_records

PROTOCOL = 1
FRAME_MAX = 254
"""Bytes of body and CRC together: COBS then costs exactly one byte."""

VOLUMES_MAX = 32
"""Volumes of one target that are kept by name; the kernel has 8."""

RUN_MAX = 4096
"""A run of this many bytes without a zero is no frame and is handed on, so that memory stays bounded."""

MARK_VOLUME = 0xFFFFFFFF
"""A pages message of this volume is a mark (TINYPROF_MARK)."""

MARK_MAX = 31
"""Bytes of a mark's text."""

_SEQ_MODULO = 1 << 16
_U32 = 1 << 32
_SHOWN_CONTROLS = {ord(c): None for c in "\a\b\t\n\v\f\r\x1b"}


class MessageType(IntEnum):
    """The first element of a frame's body."""

    HELLO = 1
    PAGES = 2
    EPOCH_END = 3
    STATUS = 4
    HELLO_PLEASE = 16
    EPOCH_LENGTH = 17
    REARM = 18


@dataclass(frozen=True, slots=True)
class Volume:
    """One mounted cramfs as the agent names it; `size` in bytes."""

    index: int
    fsid: Fsid
    size: int
    name: str
    recording: bool


@dataclass(frozen=True, slots=True)
class Hello:
    """Who is sending; `epoch_ms` 0: epochs never end by time; `tracer` 0: the kernel has none."""

    protocol: int
    agent: str
    kernel: str
    arch: str
    page_size: int
    boot_id: bytes
    epoch_ms: int
    tracer: int
    volumes: tuple[Volume, ...]


NO_BOOT = bytes(8)
"""The boot id of a target that has found no tracer yet, and so does not know it."""


def is_reboot(before: Hello, now: Hello) -> bool:
    """Whether two hellos name two boots."""
    return before.boot_id != now.boot_id and NO_BOOT not in (before.boot_id, now.boot_id)


def joined_hello(before: Hello | None, now: Hello) -> Hello:
    """All that was said of a boot so far: a hello names some of the volumes and takes nothing back."""
    if before is None or is_reboot(before, now):
        return now
    volumes = {volume.index: volume for volume in (*before.volumes, *now.volumes)}
    boot_id = before.boot_id if now.boot_id == NO_BOOT else now.boot_id
    return replace(
        now, boot_id=boot_id, volumes=tuple(volumes[index] for index in sorted(volumes)[:VOLUMES_MAX])
    )


@dataclass(frozen=True, slots=True)
class Pages:
    """First touches in their order: `page_ids[i]` was touched as `Kind(kinds[i])`; `ms` modulo 2^32."""

    volume: int
    epoch: int
    ms: int
    page_ids: tuple[int, ...]
    kinds: bytes


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """How many records of each kind, in the order of `Kind`, the ended epoch had on the target."""

    volume: int
    epoch: int
    ms: int
    records: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Status:
    """Counters of the target since its start: records waiting, touches not traced, frames not written."""

    ms: int
    queued: int
    untraced: int
    write_errors: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Someone wrote `text` to the target's /dev/tinyprof: the running epoch ends, and a phase begins.

    `number` counts the target's marks from 1.
    """

    number: int
    ms: int
    text: str


@dataclass(frozen=True, slots=True)
class HelloPlease:
    """From the host: send a hello."""


@dataclass(frozen=True, slots=True)
class EpochLength:
    """From the host: end epochs after `ms`; 0 never."""

    ms: int


@dataclass(frozen=True, slots=True)
class Rearm:
    """From the host: end the epoch now."""


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """A well-formed frame of a type this version does not know: skipped, counted and shown."""

    type: int


@dataclass(frozen=True, slots=True)
class UnknownProtocol:
    """A hello of another protocol version, laid out in a way that this version cannot read."""

    protocol: int


Message = (
    Hello
    | Pages
    | EpochEnd
    | Status
    | Mark
    | HelloPlease
    | EpochLength
    | Rearm
    | UnknownMessage
    | UnknownProtocol
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One good frame; `lost` frames of the sender are missing immediately before it.

    `restarted`: the sender has begun to number its frames again, as it does when the target reboots.
    """

    seq: int
    lost: int
    message: Message
    restarted: bool = False


@dataclass(frozen=True, slots=True)
class ConsoleText:
    """Printable bytes that stood between frames."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CorruptFrame:
    """Bytes between zeros that are neither a frame nor text, and why."""

    reason: str
    data: bytes


@dataclass(frozen=True, slots=True)
class HostMark:
    """The recorder's own mark: not on the line but beside it in a capture, at the place where it was set."""

    text: str


Event = Frame | ConsoleText | CorruptFrame | HostMark


class MalformedMessage(ValueError):
    """A body that passed its CRC and still is not what the format says."""


class FrameDecoder:
    """Cuts a byte stream at its zeros and classifies each run. Feed it pieces of any size."""

    def __init__(self) -> None:
        self._run = b""
        self._overlong = False
        self._expected_seq: int | None = None
        self._hello: Hello | None = None
        self._last_frame = b""

    @property
    def pending(self) -> bytes:
        """The unfinished run: fewer than RUN_MAX bytes that no zero has ended yet."""
        return self._run

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completed, in the order of the line."""
        events: list[Event] = []
        *ended, rest = data.split(b"\0")
        for piece in ended:
            run, self._run = self._run + piece, b""
            if run:
                self._end_run(run, events)
            self._overlong = False
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
        return [event for event in events if line_ended or not isinstance(event, CorruptFrame)]

    def _end_run(self, run: bytes, events: list[Event]) -> None:
        if self._overlong or len(run) > FRAME_MAX + 1:
            for start in range(0, len(run), RUN_MAX):
                self._not_a_frame(run[start : start + RUN_MAX], "too long for a frame", events)
            return
        if run == self._last_frame:
            # A sender whose port vanished in the middle of a frame sends it again, and both may arrive.
            return
        body = _checked_body(run)
        if body is None:
            self._not_a_frame(run, "bad checksum", events)
            return
        try:
            elements = _unpack(body)
            seq = _uint(elements[1], _SEQ_MODULO, "seq")
        except MalformedMessage as error:
            events.append(CorruptFrame(str(error), run))
            return
        try:
            message = parse_message(elements)
        except MalformedMessage as error:
            # It came, so it is not missing as well.
            self._expected_seq = (seq + 1) % _SEQ_MODULO
            events.append(CorruptFrame(str(error), run))
            return
        self._last_frame = run
        lost, restarted = self._lost_before(seq, message)
        events.append(Frame(seq, lost, message, restarted))

    def _lost_before(self, seq: int, message: Message) -> tuple[int, bool]:
        """Frames missing before `seq`, and whether the sender started again from 0.

        It did where the number steps backwards, and where a hello names another boot. What the host says
        comes back where the target's line echoes, until the agent has made it raw; none of its frames.
        """
        if isinstance(message, HelloPlease | EpochLength | Rearm):
            return 0, False
        expected, self._expected_seq = self._expected_seq, (seq + 1) % _SEQ_MODULO
        rebooted = False
        if isinstance(message, Hello):
            rebooted = self._hello is not None and is_reboot(self._hello, message)
            self._hello = joined_hello(self._hello, message)
        if expected in (None, seq):
            return 0, False
        gap = (seq - expected) % _SEQ_MODULO
        return (seq, True) if rebooted or gap >= _SEQ_MODULO // 2 else (gap, False)

    def _not_a_frame(self, run: bytes, reason: str, events: list[Event]) -> None:
        text = mostly_text(run) if self._overlong or len(run) > FRAME_MAX + 1 else is_text(run)
        events.append(ConsoleText(run) if text else CorruptFrame(reason, run))


def is_text(run: bytes) -> bool:
    """Whether every byte could be console output: printable UTF-8 and the controls a terminal acts on."""
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


def parse_message(elements: Sequence[Any]) -> Message:
    """Check a body's elements against docs/wire-format.md; raises MalformedMessage naming the element."""
    kind, fields = _uint(elements[0], _U32, "type"), elements[2:]
    parse = _PARSERS.get(kind)
    if parse is None:
        return UnknownMessage(kind)
    needed, parser = parse
    if len(fields) < needed:
        raise MalformedMessage(f"{MessageType(kind).name.lower()} has {len(fields)} elements, not {needed}")
    message: Message = parser(fields)
    return message


def _parse_any_hello(fields: Sequence[Any]) -> Hello | UnknownProtocol:
    protocol = _uint(fields[0], _U32, "protocol")
    try:
        return _parse_hello(_array(fields, 9, "hello"))
    except MalformedMessage:
        if protocol == PROTOCOL:
            raise
        return UnknownProtocol(protocol)


def _parse_hello(fields: Sequence[Any]) -> Hello:
    boot_id = fields[5]
    if type(boot_id) is not bytes or len(boot_id) != 8:
        raise MalformedMessage("boot id is not 8 bytes")
    return Hello(
        protocol=_uint(fields[0], _U32, "protocol"),
        agent=_text(fields[1], 31, "agent"),
        kernel=_text(fields[2], 31, "kernel"),
        arch=_text(fields[3], 31, "arch"),
        page_size=_uint(fields[4], _U32, "page size"),
        boot_id=boot_id,
        epoch_ms=_uint(fields[6], _U32, "epoch length"),
        tracer=_uint(fields[7], _U32, "tracer"),
        volumes=tuple(_parse_volume(volume) for volume in _array(fields[8], 0, "volumes")),
    )


def _parse_volume(value: Any) -> Volume:
    index, crc, edition, blocks, files, size, name, flags = _array(value, 8, "volume")[:8]
    return Volume(
        index=_uint(index, _U32, "volume"),
        fsid=Fsid(
            crc=_uint(crc, _U32, "crc"),
            edition=_uint(edition, _U32, "edition"),
            blocks=_uint(blocks, _U32, "blocks"),
            files=_uint(files, _U32, "files"),
        ),
        size=_uint(size, _U32, "size"),
        name=_text(name, 16, "name"),
        recording=bool(_uint(flags, _U32, "flags") & 1),
    )


def _parse_pages(fields: Sequence[Any]) -> Pages | Mark:
    try:
        page_ids, kinds = split_records(fields[3])
    except MalformedRecords as error:
        raise MalformedMessage(str(error)) from None
    volume, epoch, ms = _uint(fields[0], _U32, "volume"), _epoch(fields[1]), _uint(fields[2], _U32, "ms")
    if volume == MARK_VOLUME:
        return Mark(epoch, ms, _spelled(page_ids, kinds))
    return Pages(volume, epoch, ms, page_ids, kinds)


def _spelled(page_ids: Sequence[int], kinds: bytes) -> str:
    if not 0 < len(page_ids) <= MARK_MAX or any(kinds) or max(page_ids) > 0xFF:
        raise MalformedMessage(f"a mark is not 1 to {MARK_MAX} bytes of text")
    return bytes(page_ids).decode("utf-8", "surrogateescape")


def _parse_epoch_end(fields: Sequence[Any]) -> EpochEnd:
    volume, epoch, ms = _uint(fields[0], _U32, "volume"), _epoch(fields[1]), _uint(fields[2], _U32, "ms")
    exec_, read, write, file = (_uint(n, _U32, "record count") for n in _array(fields[3], 4, "records")[:4])
    return EpochEnd(volume, epoch, ms, (exec_, read, write, file))


def _parse_status(fields: Sequence[Any]) -> Status:
    ms, queued, untraced, errors = (_uint(value, _U32, "status counter") for value in fields[:4])
    return Status(ms, queued, untraced, errors)


_PARSERS: dict[int, tuple[int, Any]] = {
    MessageType.HELLO: (1, _parse_any_hello),
    MessageType.PAGES: (4, _parse_pages),
    MessageType.EPOCH_END: (4, _parse_epoch_end),
    MessageType.STATUS: (4, _parse_status),
    MessageType.HELLO_PLEASE: (0, lambda _: HelloPlease()),
    MessageType.EPOCH_LENGTH: (1, lambda fields: EpochLength(_uint(fields[0], _U32, "epoch length"))),
    MessageType.REARM: (0, lambda _: Rearm()),
}


def _uint(value: Any, limit: int, what: str) -> int:
    if type(value) is not int or not 0 <= value < limit:
        raise MalformedMessage(f"{what} is not an unsigned integer below {limit}")
    return value


def _epoch(value: Any) -> int:
    if _uint(value, _U32, "epoch") == 0:
        raise MalformedMessage("epoch is 0")
    return int(value)


def _text(value: Any, limit: int, what: str) -> str:
    if type(value) is not str or len(value.encode("utf-8", "surrogateescape")) > limit:
        raise MalformedMessage(f"{what} is not a string of at most {limit} bytes")
    return value


def _array(value: Any, least: int, what: str) -> list[Any]:
    if type(value) is not list or len(value) < least:
        raise MalformedMessage(f"{what} is not an array of at least {least} elements")
    return value


def message_elements(message: Message) -> list[Any]:
    """A message as the elements that follow `[type, seq` on the wire; the inverse of `parse_message`."""
    match message:
        case Hello(protocol, agent, kernel, arch, page_size, boot_id, epoch_ms, tracer, volumes):
            named = [_volume_elements(volume) for volume in volumes]
            return [protocol, agent, kernel, arch, page_size, boot_id, epoch_ms, tracer, named]
        case Pages(volume, epoch, ms, page_ids, kinds):
            return [volume, epoch, ms, join_records(page_ids, kinds)]
        case EpochEnd(volume, epoch, ms, records):
            return [volume, epoch, ms, list(records)]
        case Status(ms, queued, untraced, write_errors):
            return [ms, queued, untraced, write_errors]
        case Mark(number, ms, text):
            spelled = text.encode("utf-8", "surrogateescape")
            return [MARK_VOLUME, number, ms, join_records(spelled, bytes(len(spelled)))]
        case _:
            return [message.ms] if isinstance(message, EpochLength) else []


def _volume_elements(volume: Volume) -> list[Any]:
    fsid = volume.fsid
    ids = [fsid.crc, fsid.edition, fsid.blocks, fsid.files]
    return [volume.index, *ids, volume.size, volume.name, int(volume.recording)]


_TYPES: dict[type, MessageType] = {
    Hello: MessageType.HELLO,
    Pages: MessageType.PAGES,
    EpochEnd: MessageType.EPOCH_END,
    Status: MessageType.STATUS,
    Mark: MessageType.PAGES,
    HelloPlease: MessageType.HELLO_PLEASE,
    EpochLength: MessageType.EPOCH_LENGTH,
    Rearm: MessageType.REARM,
}


def encode_message(message: Message, seq: int) -> bytes:
    """One whole frame with both zeros. Raises ValueError where the message does not fit FRAME_MAX."""
    kind = message.type if isinstance(message, UnknownMessage) else _TYPES[type(message)]
    packed: bytes = msgpack.packb(
        [int(kind), seq % _SEQ_MODULO, *message_elements(message)], unicode_errors="surrogateescape"
    )
    return encode_frame(packed)


def encode_frame(body: bytes) -> bytes:
    """Frame a packed body: CRC, COBS, zeros. Raises ValueError above FRAME_MAX."""
    if len(body) + 4 > FRAME_MAX:
        raise ValueError(f"a body of {len(body)} bytes does not fit a frame of {FRAME_MAX}")
    coded: bytes = cobs.encode(body + struct.pack("<I", zlib.crc32(body)))
    return b"\0" + coded + b"\0"
