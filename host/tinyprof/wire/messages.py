# SPDX-License-Identifier: MIT
"""The messages of docs/wire-format.md: what they mean, and their elements as they stand in a
frame.

Elements that msgpack has read come in and a checked message goes out, or the other way round. No
field is trusted; an element that is missing or of another type raises MalformedMessage naming it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from enum import IntEnum
from itertools import accumulate
from typing import Any

from tinyprof.pages import PAGE_ID_LIMIT, PROCESSES_MAX, Fsid
from tinyprof.wire.touches import MalformedRecords, join_records, split_records

PROTOCOL = 1
REPEATED = 32
"""Added to the type of a frame that its sender repeats until it is acknowledged."""

SEQ_MODULO = 1 << 16
VOLUMES_MAX = 32
"""Volumes of one target that are kept by name; the kernel has 8."""

MARK_VOLUME = 0xFFFFFFFF
"""A pages message of this volume is a mark (TINYPROF_MARK)."""

MARK_MAX = 31
"""Bytes of a mark's text."""

_U32 = 1 << 32


class MessageType(IntEnum):
    """The first element of a frame's body."""

    HELLO = 1
    PAGES = 2
    EPOCH_END = 3
    STATUS = 4
    BEGIN = 5
    HELLO_PLEASE = 16
    EPOCH_LENGTH = 17
    REARM = 18
    ACK = 19
    REPEAT_PLEASE = 20
    TRACE = 21


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
    """Who is sending; `epoch_ms` 0: epochs never end by time; `tracer` 0: the kernel has none.

    `window`: frames that the sender keeps for repetition; 0: it cannot repeat.
    """

    protocol: int
    agent: str
    kernel: str
    arch: str
    page_size: int
    boot_id: bytes
    epoch_ms: int
    tracer: int
    volumes: tuple[Volume, ...]
    window: int = 0


NO_BOOT = bytes(8)
"""The boot id of a target that has found no tracer yet, and so does not know it."""


def is_reboot(before: Hello, now: Hello) -> bool:
    """Whether two hellos name two boots."""
    return before.boot_id != now.boot_id and NO_BOOT not in (before.boot_id, now.boot_id)


def joined_hello(before: Hello | None, now: Hello) -> Hello:
    """All that was said of a boot so far: a hello names some of the volumes and takes nothing
    back."""
    if before is None or is_reboot(before, now):
        return now
    volumes = {volume.index: volume for volume in (*before.volumes, *now.volumes)}
    boot_id = before.boot_id if now.boot_id == NO_BOOT else now.boot_id
    return replace(
        now,
        boot_id=boot_id,
        volumes=tuple(volumes[index] for index in sorted(volumes)[:VOLUMES_MAX]),
    )


@dataclass(frozen=True, slots=True)
class Pages:
    """First touches in their order: `page_ids[i]` was touched as `Kind(kinds[i])`; `ms` modulo
    2^32."""

    volume: int
    epoch: int
    ms: int
    page_ids: tuple[int, ...]
    kinds: bytes


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """How many records of each kind, in the order of `Kind`, the ended epoch had on the target.

    `total`: records of all epochs of all volumes whose ends were sent, this one included, modulo
    2^32; None where the sender does not say. `processes`: for files, by the page id of page 0, how
    many processes were seen to map them at once, where that is more than was told before, and 2 at
    least; None where the target does not count them.
    """

    volume: int
    epoch: int
    ms: int
    records: tuple[int, int, int, int]
    total: int | None = None
    processes: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Counters of the target since its start: records waiting, touches not traced, frames not
    written.

    `repeats`: frames sent again; `waited_ms`: how long it kept its records back for want of
    acknowledgements.
    """

    ms: int
    queued: int
    untraced: int
    write_errors: int
    repeats: int = 0
    waited_ms: int = 0


@dataclass(frozen=True, slots=True)
class Begin:
    """From its frame's number on, the target repeats each frame until it is acknowledged under
    `session`."""

    session: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Someone wrote `text` to the target's /dev/tinyprof: the running epoch ends, and a phase
    begins.

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
class Ack:
    """From the host: it has all before frame `next`, and of those beyond, `next` + 1 + n for each
    bit n."""

    session: int
    next: int
    beyond: int


@dataclass(frozen=True, slots=True)
class RepeatPlease:
    """From the host: begin to repeat what is not acknowledged."""


@dataclass(frozen=True, slots=True)
class Trace:
    """From the host: record, or do not until told to again."""

    on: bool


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """A well-formed frame of a type this version does not know: skipped, counted and shown."""

    type: int


@dataclass(frozen=True, slots=True)
class UnknownProtocol:
    """A hello of another protocol version, laid out in a way that this version cannot read."""

    protocol: int


HostMessage = HelloPlease | EpochLength | Rearm | Ack | RepeatPlease | Trace
Message = (
    Hello
    | Pages
    | EpochEnd
    | Status
    | Mark
    | Begin
    | HostMessage
    | UnknownMessage
    | UnknownProtocol
)


class MalformedMessage(ValueError):
    """A body that passed its CRC and still is not what the format says."""


def parse_message(kind: int, fields: Sequence[Any]) -> Message:
    """Check what follows `[type, seq` against docs/wire-format.md.

    Raises MalformedMessage naming the element.
    """
    parse = _PARSERS.get(kind)
    if parse is None:
        return UnknownMessage(kind)
    needed, parser = parse
    if len(fields) < needed:
        raise MalformedMessage(
            f"{MessageType(kind).name.lower()} has {len(fields)} elements, not {needed}"
        )
    message: Message = parser(fields)
    return message


def _parse_any_hello(fields: Sequence[Any]) -> Hello | UnknownProtocol:
    protocol = checked_uint(fields[0], _U32, "protocol")
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
        protocol=checked_uint(fields[0], _U32, "protocol"),
        agent=_text(fields[1], 31, "agent"),
        kernel=_text(fields[2], 31, "kernel"),
        arch=_text(fields[3], 31, "arch"),
        page_size=checked_uint(fields[4], _U32, "page size"),
        boot_id=boot_id,
        epoch_ms=checked_uint(fields[6], _U32, "epoch length"),
        tracer=checked_uint(fields[7], _U32, "tracer"),
        volumes=tuple(_parse_volume(volume) for volume in _array(fields[8], 0, "volumes")),
        window=checked_uint(fields[9], _U32, "window") if len(fields) > 9 else 0,
    )


def _parse_volume(value: Any) -> Volume:
    index, crc, edition, blocks, files, size, name, flags = _array(value, 8, "volume")[:8]
    return Volume(
        index=checked_uint(index, _U32, "volume"),
        fsid=Fsid(
            crc=checked_uint(crc, _U32, "crc"),
            edition=checked_uint(edition, _U32, "edition"),
            blocks=checked_uint(blocks, _U32, "blocks"),
            files=checked_uint(files, _U32, "files"),
        ),
        size=checked_uint(size, _U32, "size"),
        name=_text(name, 16, "name"),
        recording=bool(checked_uint(flags, _U32, "flags") & 1),
    )


def _parse_pages(fields: Sequence[Any]) -> Pages | Mark:
    try:
        page_ids, kinds = split_records(fields[3])
    except MalformedRecords as error:
        raise MalformedMessage(str(error)) from None
    volume, epoch, ms = _place(fields)
    if volume == MARK_VOLUME:
        return Mark(epoch, ms, _spelled(page_ids, kinds))
    return Pages(volume, epoch, ms, page_ids, kinds)


def _place(fields: Sequence[Any]) -> tuple[int, int, int]:
    """Volume, epoch and milliseconds, as pages and epoch ends begin."""
    volume, epoch, ms = map(checked_uint, fields[:3], (_U32,) * 3, ("volume", "epoch", "ms"))
    if not epoch:
        raise MalformedMessage("epoch is 0")
    return volume, epoch, ms


def _spelled(page_ids: Sequence[int], kinds: bytes) -> str:
    if not 0 < len(page_ids) <= MARK_MAX or any(kinds) or max(page_ids) > 0xFF:
        raise MalformedMessage(f"a mark is not 1 to {MARK_MAX} bytes of text")
    return bytes(page_ids).decode("utf-8", "surrogateescape")


def _parse_epoch_end(fields: Sequence[Any]) -> EpochEnd:
    exec_, read, write, file = (
        checked_uint(n, _U32, "record count") for n in _array(fields[3], 4, "records")[:4]
    )
    total = checked_uint(fields[4], _U32, "total") if len(fields) > 4 else None
    processes = _parse_processes(fields[5]) if len(fields) > 5 else None
    return EpochEnd(*_place(fields), (exec_, read, write, file), total, processes)


def _parse_processes(value: Any) -> tuple[tuple[int, int], ...]:
    told = _array(value, 0, "processes")
    if len(told) % 2 or not all(type(distance) is int for distance in told[::2]):
        raise MalformedMessage("processes are no pairs of a distance and a number")
    page_ids = [
        checked_uint(page_id, PAGE_ID_LIMIT, "page id") for page_id in accumulate(told[::2])
    ]
    counts = [
        checked_uint(count, PROCESSES_MAX + 1, "number of processes") for count in told[1::2]
    ]
    return tuple(zip(page_ids, counts, strict=True))


def _parse_status(fields: Sequence[Any]) -> Status:
    return Status(*(checked_uint(value, _U32, "status counter") for value in fields[:6]))


def _parse_ack(fields: Sequence[Any]) -> Ack:
    return Ack(
        checked_uint(fields[0], _U32, "session"),
        checked_uint(fields[1], SEQ_MODULO, "next"),
        checked_uint(fields[2], _U32, "beyond"),
    )


_PARSERS: dict[int, tuple[int, Any]] = {
    MessageType.HELLO: (1, _parse_any_hello),
    MessageType.PAGES: (4, _parse_pages),
    MessageType.EPOCH_END: (4, _parse_epoch_end),
    MessageType.STATUS: (4, _parse_status),
    MessageType.HELLO_PLEASE: (0, lambda _: HelloPlease()),
    MessageType.EPOCH_LENGTH: (
        1,
        lambda fields: EpochLength(checked_uint(fields[0], _U32, "epoch length")),
    ),
    MessageType.REARM: (0, lambda _: Rearm()),
    MessageType.BEGIN: (1, lambda fields: Begin(checked_uint(fields[0], _U32, "session"))),
    MessageType.ACK: (3, _parse_ack),
    MessageType.REPEAT_PLEASE: (0, lambda _: RepeatPlease()),
    MessageType.TRACE: (1, lambda fields: Trace(bool(checked_uint(fields[0], _U32, "trace")))),
}


def checked_uint(value: Any, limit: int, what: str) -> int:
    if type(value) is not int or not 0 <= value < limit:
        raise MalformedMessage(f"{what} is not an unsigned integer below {limit}")
    return value


def _text(value: Any, limit: int, what: str) -> str:
    if type(value) is not str or len(value.encode("utf-8", "surrogateescape")) > limit:
        raise MalformedMessage(f"{what} is not a string of at most {limit} bytes")
    return value


def _array(value: Any, least: int, what: str) -> list[Any]:
    if type(value) is not list or len(value) < least:
        raise MalformedMessage(f"{what} is not an array of at least {least} elements")
    return value


def type_of(message: Message) -> int:
    """The first element of its body."""
    return message.type if isinstance(message, UnknownMessage) else int(_TYPES[type(message)])


def message_elements(message: Message) -> list[Any]:
    """A message as the elements that follow `[type, seq` on the wire; the inverse of
    `parse_message`."""
    match message:
        case Hello(
            protocol, agent, kernel, arch, page_size, boot_id, epoch_ms, tracer, volumes, window
        ):
            named = [_volume_elements(volume) for volume in volumes]
            return [
                protocol,
                agent,
                kernel,
                arch,
                page_size,
                boot_id,
                epoch_ms,
                tracer,
                named,
                window,
            ]
        case Pages(volume, epoch, ms, page_ids, kinds):
            return [volume, epoch, ms, join_records(page_ids, kinds)]
        case EpochEnd():
            return _epoch_end_elements(message)
        case Mark(number, ms, text):
            spelled = text.encode("utf-8", "surrogateescape")
            return [MARK_VOLUME, number, ms, join_records(spelled, bytes(len(spelled)))]
        case UnknownMessage():
            return []
        case _:
            return [int(value) for value in astuple(message)]


def _epoch_end_elements(end: EpochEnd) -> list[Any]:
    """An element that may be left out wants those before it."""
    elements = [end.volume, end.epoch, end.ms, list(end.records)]
    if end.total is not None:
        elements.append(end.total)
        if end.processes is not None:
            elements.append(_processes_elements(end.processes))
    return elements


def _processes_elements(processes: Sequence[tuple[int, int]]) -> list[int]:
    elements: list[int] = []
    before = 0
    for page_id, count in processes:
        elements += [page_id - before, count]
        before = page_id
    return elements


def _volume_elements(volume: Volume) -> list[Any]:
    return [volume.index, *astuple(volume.fsid), volume.size, volume.name, int(volume.recording)]


_TYPES: dict[type, MessageType] = {
    Hello: MessageType.HELLO,
    Pages: MessageType.PAGES,
    EpochEnd: MessageType.EPOCH_END,
    Status: MessageType.STATUS,
    Mark: MessageType.PAGES,
    HelloPlease: MessageType.HELLO_PLEASE,
    EpochLength: MessageType.EPOCH_LENGTH,
    Rearm: MessageType.REARM,
    Begin: MessageType.BEGIN,
    Ack: MessageType.ACK,
    RepeatPlease: MessageType.REPEAT_PLEASE,
    Trace: MessageType.TRACE,
}
