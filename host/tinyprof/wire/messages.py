# SPDX-License-Identifier: MIT
"""The messages of docs/wire-format.md, and what their fields mean.

Every message is a frozen dataclass. `elements` reads and writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from tinyprof.pages import Fsid
from tinyprof.wire.source import TouchSource

PROTOCOL = 1
"""Version of the protocol that this host speaks."""
REPEATED = 32
"""Added to the type of a frame that its sender repeats until the host acknowledges it."""

SEQ_MODULO = 1 << 16
"""Frame numbers count modulo this."""
VOLUMES_MAX = 32
"""Volumes of one target that are kept by name. The kernel has 8."""

MARK_VOLUME = 0xFFFFFFFF
"""Volume number: a pages message of this volume is a mark (TINYPROF_MARK)."""

MARK_MAX = 31
"""Bytes of a mark's text."""

PATH_MAX = 4095
"""Bytes of a path that a target tells (the kernel's PATH_MAX, without the zero at its end)."""

SIZE_UNKNOWN = 0xFFFFFFFF
"""Size of a file that is larger than this, or whose size is not known."""


class MessageType(IntEnum):
    """The first element of a frame's body."""

    HELLO = 1
    PAGES = 2
    EPOCH_END = 3
    STATUS = 4
    BEGIN = 5
    FILE = 6
    MAPPINGS = 7
    HELLO_PLEASE = 16
    EPOCH_LENGTH = 17
    REARM = 18
    ACK = 19
    REPEAT_PLEASE = 20
    TRACE = 21


@dataclass(frozen=True, slots=True)
class Volume:
    """One mounted CramFS, as the agent names it. `size` is in bytes.

    `is_files`: it is the file volume, which stands for all file systems that are not CramFS.
    """

    index: int
    fsid: Fsid
    size: int
    name: str
    recording: bool
    is_files: bool = False

    def __str__(self) -> str:
        return "files of other file systems" if self.is_files else str(self.fsid)


@dataclass(frozen=True, slots=True)
class Hello:
    """The target introduces itself.

    `epoch_ms`: length of its epochs in milliseconds; 0: epochs never end by time. `tracer`:
    version of the kernel's tracer; 0: there is none. `window`: frames that the sender keeps for
    repetition; 0: it cannot repeat. `source`: what saw the touches; None: the kernel's own part.
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
    source: TouchSource | None = None

    @property
    def file_volume(self) -> int | None:
        """The number of the file volume. None: the target tells no files."""
        return next((volume.index for volume in self.volumes if volume.is_files), None)


NO_BOOT = bytes(8)
"""Boot id of a target that has not found its tracer yet. Only the tracer knows the boot id."""


def is_reboot(before: Hello, now: Hello) -> bool:
    """Whether two hellos come from two boots."""
    return before.boot_id != now.boot_id and NO_BOOT not in (before.boot_id, now.boot_id)


def joined_hello(before: Hello | None, now: Hello) -> Hello:
    """Join a hello to the earlier ones of its boot. A hello names some of the volumes and takes
    nothing back."""
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
    """First touches in their order: page `page_ids[i]` was touched as `Kind(kinds[i])`. `ms`
    counts modulo 2^32."""

    volume: int
    epoch: int
    ms: int
    page_ids: tuple[int, ...]
    kinds: bytes


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """The end of an epoch: how many records of each kind it had on the target, in the order of
    `Kind`.

    `total`: records of all epochs of all volumes that have ended so far, this epoch included,
    modulo 2^32. None: the sender does not tell.

    `processes`: pairs of a file (the page id of its page 0) and how many processes mapped it at
    the same time. A pair is at least 2, and comes when the number is higher than before. None: the
    target does not count processes.
    """

    volume: int
    epoch: int
    ms: int
    records: tuple[int, int, int, int]
    total: int | None = None
    processes: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Counters of the target since its start.

    `queued`: records that wait. `untraced`: touches that the tracer missed. `write_errors`: frames
    that the agent could not write. `repeats`: frames that it sent again. `waited_ms`: how long it
    kept records back because no acknowledgement came. `lost_events`: events that its kernel
    dropped, because the agent was too slow; None: its source has no events.
    """

    ms: int
    queued: int
    untraced: int
    write_errors: int
    repeats: int = 0
    waited_ms: int = 0
    lost_events: int | None = None


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of the file volume, with the part of its path that begins at byte `offset`.

    Page i of the file has the page id `page_id` + i, for i below `pages`. `size` is in bytes, or
    SIZE_UNKNOWN. `device` is major · 2^20 + minor. `path_size`: bytes of the whole path.
    """

    volume: int
    page_id: int
    pages: int
    size: int
    device: int
    inode: int
    path_size: int
    offset: int
    part: bytes


@dataclass(frozen=True, slots=True)
class HeldMapping:
    """A mapping of a file: the page id of its first page, how many pages it has, and how many
    processes held it at the same time."""

    page_id: int
    pages: int
    processes: int


@dataclass(frozen=True, slots=True)
class Mappings:
    """Mappings that processes held in an epoch, from a source that sees whole mappings."""

    volume: int
    epoch: int
    held: tuple[HeldMapping, ...]


@dataclass(frozen=True, slots=True)
class Begin:
    """From the number of this frame on, the target repeats each frame until it is acknowledged
    under `session`."""

    session: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Somebody wrote `text` to the target's /dev/tinyprof. The epoch ends there, and a phase
    begins.

    `number` counts the target's marks from 1.
    """

    number: int
    ms: int
    text: str


@dataclass(frozen=True, slots=True)
class HelloPlease:
    """Command: send a hello."""


@dataclass(frozen=True, slots=True)
class EpochLength:
    """Command: end epochs after `ms` milliseconds. 0: never by time."""

    ms: int


@dataclass(frozen=True, slots=True)
class Rearm:
    """Command: end the epoch now."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The host has every frame before `next`, and frame `next` + 1 + n for each bit n of
    `beyond`."""

    session: int
    next: int
    beyond: int


@dataclass(frozen=True, slots=True)
class RepeatPlease:
    """Command: begin to repeat every frame that is not acknowledged."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Command: record (`on`), or stop recording until the next such command."""

    on: bool


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """A well-formed frame of a type that this version does not know. It is kept, counted and
    shown."""

    type: int


@dataclass(frozen=True, slots=True)
class UnknownProtocol:
    """A hello of another protocol version, in a layout that this version cannot read."""

    protocol: int


HostMessage = HelloPlease | EpochLength | Rearm | Ack | RepeatPlease | Trace
Message = (
    Hello
    | Pages
    | EpochEnd
    | Status
    | Mark
    | Begin
    | FilePart
    | Mappings
    | HostMessage
    | UnknownMessage
    | UnknownProtocol
)
