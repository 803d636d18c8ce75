# SPDX-License-Identifier: MIT
"""The kernel's tracer, played for the hosted agent (agent/tests/hosted/tracer.c) over a socket.

Touches come in from a test; batches and epoch ends go out as the agent asks for them, by the rules
of docs/kernel.md. What left the queue is remembered, so that a test can tell what must have
arrived.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tinyprof.pages import Kind
from tinyprof.wire.messages import EpochEnd

PATIENCE = 60.0
"""Seconds that a test waits for an event before it fails; nothing depends on how long it really
takes."""

ABI = 1
INDICES = 8
BATCH_RECORDS = 1020
BOOT_ID = bytes(range(1, 9))
BELL = 0x7FFFFFFF

_HEAD = struct.Struct("=4I")
_INFO = struct.Struct("=II8s")
_VOLUME = struct.Struct("=10I16s")
_EPOCH = struct.Struct("=7I")
_PROCESSES = struct.Struct("=34I")
_REPLY = struct.Struct("=i")


TYPE = 0xD7
"""TINYPROF_IOC_TYPE of the kernel's header."""


def _ioc(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | TYPE << 8 | number


READ = 0
MARK = 0xFFFFFFFF
INFO = _ioc(2, 0xC0, _INFO.size)
VOLUME = _ioc(3, 0xC1, _VOLUME.size)
START = _ioc(1, 0xC2, 4)
STOP = _ioc(1, 0xC3, 4)
REARM = _ioc(3, 0xC4, _EPOCH.size)
PROCESSES = _ioc(3, 0xC5, _PROCESSES.size)


@dataclass(slots=True)
class Volume:
    """A mounted cramfs; `seen` and `queue` hold kinds as a set of bits for each page id.

    `processes`: pairs that the agent is told of, of which it was told `told`; None in a kernel
    that does not count.
    """

    crc: int
    recording: bool = False
    startable: bool = True
    epoch: int = 0
    seen: dict[int, int] = field(default_factory=dict)
    queue: dict[int, int] = field(default_factory=dict)
    counts: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    untraced: int = 0
    processes: list[tuple[int, int]] | None = None
    told: int = 0

    def begin_epoch(self) -> None:
        self.seen.clear()
        self.queue.clear()
        self.counts = [0, 0, 0, 0]
        self.epoch += 1

    def touch(self, page_id: int, kind: Kind) -> None:
        bit = 1 << kind
        if self.recording and not self.seen.get(page_id, 0) & bit:
            self.seen[page_id] = self.seen.get(page_id, 0) | bit
            self.queue[page_id] = self.queue.get(page_id, 0) | bit
            self.counts[kind] += 1


@dataclass(frozen=True, slots=True)
class Record:
    """One record that the agent has taken."""

    volume: int
    epoch: int
    page_id: int
    kind: Kind


class Tracer:
    """/dev/tinyprof. It is there from `appear()` on, with the volumes mounted so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.abi = ABI
        self.volumes: dict[int, Volume] = {}
        self.taken: list[Record] = []
        self.ended: list[EpochEnd] = []
        self.started: list[int] = []
        self.stopped: list[int] = []
        self.marks: list[bytes] = []
        self.marks_taken = 0
        self.described = 0
        self._changed = threading.Condition()
        self._listener: socket.socket | None = None
        self._agent: socket.socket | None = None
        self._rung = False

    def appear(self) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(self.path))
        listener.listen()
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def disappear(self) -> None:
        """As when the device is taken away; the volumes stay."""
        for end in (self._listener, self._agent):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        if self._listener is not None:
            self._listener.close()
            self.path.unlink()
            self._listener = None

    def mount(self, index: int, volume: Volume, *touches: tuple[int, Kind]) -> None:
        """Mount a volume; one that is `recording` was started by the kernel, as with
        cramfs.tinyprof=1, and has `touches` before the agent can know of it."""
        with self._changed:
            if volume.recording:
                volume.begin_epoch()
            self.volumes[index] = volume
            self.touch(index, *touches)

    def touch(self, index: int, *touches: tuple[int, Kind]) -> None:
        with self._changed:
            for page_id, kind in touches:
                self.volumes[index].touch(page_id, kind)
            self._ring()

    def mark(self, text: bytes) -> None:
        with self._changed:
            self.marks.append(text)
            self._ring()

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait until the agent has brought something about."""
        with self._changed:
            assert self._changed.wait_for(happened, PATIENCE), "the agent never did it"

    def taken_of(self, volume: int, epoch: int) -> list[tuple[int, Kind]]:
        return [(r.page_id, r.kind) for r in self.taken if (r.volume, r.epoch) == (volume, epoch)]

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                agent, _ = listener.accept()
                self._agent = agent
                with agent, contextlib.suppress(OSError):
                    self._obey(agent)

    def _obey(self, agent: socket.socket) -> None:
        with self._changed:
            self._rung = False
            self._ring()
        while request := agent.recv(128):
            (command,) = struct.unpack_from("=I", request)
            with self._changed:
                ret, argument = self._answer(command, request[4:])
                agent.send(_REPLY.pack(ret) + argument)
                self._rung = False
                self._ring()
                self._changed.notify_all()

    def _ring(self) -> None:
        waiting = self.marks or any(v.queue for v in self.volumes.values())
        if self._agent is None or self._rung or not waiting:
            return
        with contextlib.suppress(OSError):
            self._agent.send(_REPLY.pack(BELL))
            self._rung = True

    def _answer(self, command: int, argument: bytes) -> tuple[int, bytes]:
        if command == READ:
            return self._read()
        if command == INFO:
            return 0, _INFO.pack(self.abi, INDICES, BOOT_ID)
        (index,) = struct.unpack_from("=I", argument)
        volume = self.volumes.get(index)
        if volume is None:
            return -errno.ENOENT, b""
        return self._volume_command(command, index, volume, argument)

    def _volume_command(
        self, command: int, index: int, volume: Volume, argument: bytes
    ) -> tuple[int, bytes]:
        if command == VOLUME:
            self.described += 1
            return 0, self._describe(index, volume)
        if command == START:
            self.started.append(index)
            return self._start(volume), b""
        if command == STOP:
            self.stopped.append(index)
            volume.recording = False
            return 0, b""
        if command == REARM:
            return self._rearm(index, volume)
        if command == PROCESSES and volume.processes is not None:
            return 0, self._tell_processes(
                index, volume, volume.processes, anew=argument[4:8] != bytes(4)
            )
        return -errno.ENOTTY, b""

    def _tell_processes(
        self, index: int, volume: Volume, processes: list[tuple[int, int]], *, anew: bool
    ) -> bytes:
        if anew:
            volume.told = 0
        told = processes[volume.told : volume.told + 16]
        volume.told += len(told)
        words = [number for pair in told for number in pair]
        return _PROCESSES.pack(index, len(told), *words, *[0] * (32 - len(words)))

    def _read(self) -> tuple[int, bytes]:
        if self.marks:
            spelled = [byte | 1 << 28 for byte in self.marks.pop(0)]
            self.marks_taken += 1
            batch = _HEAD.pack(MARK, self.marks_taken, 7, len(spelled)) + struct.pack(
                f"={len(spelled)}I", *spelled
            )
            return len(batch), batch
        for index, volume in sorted(self.volumes.items()):
            if not volume.queue:
                continue
            words: list[int] = []
            while volume.queue and len(words) < BATCH_RECORDS:
                page_id = next(iter(volume.queue))
                kinds = volume.queue.pop(page_id)
                words.append(page_id | kinds << 28)
                self.taken += [
                    Record(index, volume.epoch, page_id, kind)
                    for kind in Kind
                    if kinds >> kind & 1
                ]
            batch = _HEAD.pack(index, volume.epoch, 0, len(words)) + struct.pack(
                f"={len(words)}I", *words
            )
            return len(batch), batch
        return -errno.EAGAIN, b""

    def _describe(self, index: int, volume: Volume) -> bytes:
        fsid = (volume.crc, 1, 2, 3)
        state = (volume.epoch, len(volume.queue), volume.untraced)
        return _VOLUME.pack(
            index, int(volume.recording), *fsid, 8192, *state, f"volume {index}".encode()
        )

    def _start(self, volume: Volume) -> int:
        if not volume.startable:
            return -errno.ENOMEM
        if not volume.recording:
            volume.begin_epoch()
            volume.recording = True
        return 0

    def _rearm(self, index: int, volume: Volume) -> tuple[int, bytes]:
        if volume.queue:
            return -errno.EAGAIN, b""
        exec_, read, write, file = volume.counts
        end = EpochEnd(index, volume.epoch, 0, (exec_, read, write, file))
        self.ended.append(end)
        if volume.epoch:
            volume.begin_epoch()
        return 0, _EPOCH.pack(index, end.epoch, end.ms, *end.records)
