# SPDX-License-Identifier: MIT
"""Messages from the msgpack elements of a frame, and back (docs/wire-format.md).

No field is trusted. An element that is missing or has another type raises MalformedMessage, which
names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from itertools import accumulate
from typing import Any

from tinyprof.pages import PAGE_ID_LIMIT, PROCESSES_MAX, Fsid
from tinyprof.wire.messages import (
    MARK_MAX,
    MARK_VOLUME,
    PATH_MAX,
    PROTOCOL,
    SEQ_MODULO,
    Ack,
    Begin,
    EpochEnd,
    EpochLength,
    FilePart,
    HeldMapping,
    Hello,
    HelloPlease,
    Mappings,
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
)
from tinyprof.wire.source import ALL_KINDS, TouchSource
from tinyprof.wire.touches import MalformedRecords, join_records, split_records

_U32 = 1 << 32

_RECORDING, _IS_FILES = 1, 2
"""Flags of a volume."""


class MalformedMessage(ValueError):
    """A body with a good CRC that is not what the format says."""


def parse_message(kind: int, fields: Sequence[Any]) -> Message:
    """Return the message of the elements that follow `[type, seq`.

    Raises MalformedMessage naming the element that is wrong.
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
        source=_parse_source(fields[10]) if len(fields) > 10 else None,
    )


def _parse_source(value: Any) -> TouchSource:
    tracer, rearm, around, kinds, late = (
        checked_uint(number, _U32, "source") for number in _array(value, 5, "source")[:5]
    )
    return TouchSource(tracer, rearm, around, kinds & ALL_KINDS, bool(late))


def _parse_volume(value: Any) -> Volume:
    index, crc, edition, blocks, files, size, name, flags = _array(value, 8, "volume")[:8]
    flags = checked_uint(flags, _U32, "flags")
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
        recording=bool(flags & _RECORDING),
        is_files=bool(flags & _IS_FILES),
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
    """Return volume, epoch and milliseconds. Pages and epoch ends begin with these."""
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
    return Status(*(checked_uint(value, _U32, "status counter") for value in fields[:7]))


def _parse_file(fields: Sequence[Any]) -> FilePart:
    volume, page_id, pages, size, device, inode, path_size, offset = (
        checked_uint(value, limit, what)
        for value, (what, limit) in zip(fields[:8], _FILE_NUMBERS, strict=True)
    )
    part = fields[8]
    if page_id + pages > PAGE_ID_LIMIT:
        raise MalformedMessage("a file has pages beyond the last page id")
    if type(part) is not bytes or offset + len(part) > path_size or (path_size and not part):
        raise MalformedMessage("a part of a path is no bytes inside the path")
    return FilePart(volume, page_id, pages, size, device, inode, path_size, offset, part)


_FILE_NUMBERS = (
    ("volume", _U32),
    ("page id", PAGE_ID_LIMIT),
    ("pages", PAGE_ID_LIMIT + 1),
    ("size", _U32),
    ("device", _U32),
    ("inode", _U32),
    ("path length", PATH_MAX + 1),
    ("offset", PATH_MAX),
)
"""The numbers of a file message in their order, each with its limit."""


def _parse_mappings(fields: Sequence[Any]) -> Mappings:
    volume, epoch = map(checked_uint, fields[:2], (_U32,) * 2, ("volume", "epoch"))
    told = _array(fields[2], 0, "mappings")
    if not epoch or len(told) % 3 or not all(type(distance) is int for distance in told[::3]):
        raise MalformedMessage("mappings are no distances, pages and processes of an epoch")
    return Mappings(
        volume, epoch, tuple(map(_held, accumulate(told[::3]), told[1::3], told[2::3]))
    )


def _held(page_id: int, pages: Any, processes: Any) -> HeldMapping:
    held = HeldMapping(
        checked_uint(page_id, PAGE_ID_LIMIT, "page id"),
        checked_uint(pages, PAGE_ID_LIMIT, "pages"),
        checked_uint(processes, PROCESSES_MAX + 1, "number of processes"),
    )
    if not held.pages or not held.processes or held.page_id + held.pages > PAGE_ID_LIMIT:
        raise MalformedMessage("a mapping has no page, no process, or pages beyond the last id")
    return held


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
    MessageType.FILE: (9, _parse_file),
    MessageType.MAPPINGS: (3, _parse_mappings),
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
    """Return the first element of the message's body."""
    return message.type if isinstance(message, UnknownMessage) else int(_TYPES[type(message)])


def message_elements(message: Message) -> list[Any]:
    """Return the elements that follow `[type, seq` on the wire. This is the inverse of
    `parse_message`."""
    match message:
        case Hello():
            elements = _hello_elements(message)
        case Pages(volume, epoch, ms, page_ids, kinds):
            elements = [volume, epoch, ms, join_records(page_ids, kinds)]
        case EpochEnd():
            elements = _epoch_end_elements(message)
        case Mark(number, ms, text):
            spelled = text.encode("utf-8", "surrogateescape")
            elements = [MARK_VOLUME, number, ms, join_records(spelled, bytes(len(spelled)))]
        case FilePart():
            elements = list(astuple(message))
        case Mappings(volume, epoch, held):
            elements = [volume, epoch, _mapping_elements(held)]
        case UnknownMessage():
            elements = []
        case _:
            elements = [int(value) for value in astuple(message) if value is not None]
    return elements


def _hello_elements(hello: Hello) -> list[Any]:
    elements = [
        hello.protocol,
        hello.agent,
        hello.kernel,
        hello.arch,
        hello.page_size,
        hello.boot_id,
        hello.epoch_ms,
        hello.tracer,
        [_volume_elements(volume) for volume in hello.volumes],
        hello.window,
    ]
    if hello.source:
        elements.append([int(value) for value in astuple(hello.source)])
    return elements


def _epoch_end_elements(end: EpochEnd) -> list[Any]:
    """Return the elements of an epoch end. An optional element needs all those before it."""
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


def _mapping_elements(held: Sequence[HeldMapping]) -> list[int]:
    elements: list[int] = []
    before = 0
    for mapping in held:
        elements += [mapping.page_id - before, mapping.pages, mapping.processes]
        before = mapping.page_id
    return elements


def _volume_elements(volume: Volume) -> list[Any]:
    flags = _RECORDING * volume.recording | _IS_FILES * volume.is_files
    return [volume.index, *astuple(volume.fsid), volume.size, volume.name, flags]


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
    FilePart: MessageType.FILE,
    Mappings: MessageType.MAPPINGS,
    Ack: MessageType.ACK,
    RepeatPlease: MessageType.REPEAT_PLEASE,
    Trace: MessageType.TRACE,
}
