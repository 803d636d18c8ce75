# SPDX-License-Identifier: MIT
"""The kernel's perf events as tests make them, and the agent's tracer that takes them.

The layouts are those of <linux/perf_event.h>, with the sample type of agent/event.h: thread, time,
address.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]

MMAP2, COMM, EXIT, FORK, SAMPLE, LOST = 10, 3, 4, 7, 9, 2
EXEC = 1 << 13
READ, WRITE, EXECUTE = 1, 2, 4
SHARED, PRIVATE = 1, 2
PAGE = 4096
DEVICE = 31 << 20
"""The device of the CramFS: major 31, minor 0."""

PRESENT, OF_FILE = 1 << 63, 1 << 61


def record(kind: int, body: bytes, misc: int = 0) -> bytes:
    """A record: its header and body, as long as it says."""
    return struct.pack("=IHH", kind, misc, 8 + len(body)) + body


def _sampled(pid: int, time: int = 0) -> bytes:
    return struct.pack("=IIQ", pid, pid, time)


def touch(pid: int, address: int, *, tid: int = 0) -> bytes:
    """A page fault at an address."""
    return record(SAMPLE, struct.pack("=IIQQ", pid, tid or pid, 0, address))


def cached(tid: int, inode: int, index: int, device: int = DEVICE) -> bytes:
    """A page that enters the page cache, on a 64-bit machine of today."""
    raw = struct.pack("=8xQQQIB", 0, inode, index, device, 0)
    raw += bytes(-(4 + len(raw)) % 8)
    body = struct.pack("=IIQQI", tid, tid, 0, 0, len(raw)) + raw
    return record(SAMPLE, body)


FIELDS = (
    "field:unsigned long pfn;\\toffset:8;\\tsize:8;\\n"
    "field:unsigned long i_ino;\\toffset:16;\\tsize:8;\\n"
    "field:unsigned long index;\\toffset:24;\\tsize:8;\\n"
    "field:dev_t s_dev;\\toffset:32;\\tsize:4;\\n"
    "field:unsigned char order;\\toffset:36;\\tsize:1;\\n"
)
"""The tracepoint's format, as the played /sys has it."""


def mapping(
    pid: int,
    address: int,
    pages: int,
    inode: int,
    *,
    offset: int = 0,
    protection: int = READ | EXECUTE,
    flags: int = PRIVATE,
    device: int = DEVICE,
    path: str = "/bin/program",
    generation: int = 0,
) -> bytes:
    """A mapping of a file, or, with inode 0, of anonymous memory."""
    body = struct.pack("=IIQQQ", pid, pid, address, pages * PAGE, offset * PAGE)
    body += struct.pack("=IIQQ", device >> 20, device & 0xFFFFF, inode, generation)
    body += struct.pack("=II", protection, flags)
    name = path.encode() + b"\0"
    return record(MMAP2, body + name + bytes(-len(name) % 8) + _sampled(pid))


def fork(pid: int, parent: int, tid: int = 0) -> bytes:
    body = struct.pack("=IIIIQ", pid, parent, tid or pid, parent, 0)
    return record(FORK, body + _sampled(parent))


def execed(pid: int) -> bytes:
    return record(COMM, struct.pack("=II", pid, pid) + b"new\0\0\0\0\0" + _sampled(pid), EXEC)


def ended(pid: int) -> bytes:
    return record(EXIT, struct.pack("=IIIIQ", pid, 1, pid, 1, 0) + _sampled(pid))


def lost(count: int) -> bytes:
    return record(LOST, struct.pack("=QQ", 1, count) + _sampled(0))


class Watch:
    """The agent's tracer of perf events; every call is a command of agent/tests/watch.c."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait() == 0

    def ask(self, *words: object) -> list[str]:
        """The lines that a command gives."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        lines = []
        while (line := self._process.stdout.readline()) != "-\n":
            assert line, "the agent's tracer ended"
            lines.append(line.rstrip("\n"))
        return lines

    def take(self, records: Iterable[bytes]) -> None:
        for each in records:
            self.ask("record", each.hex())

    def records(self) -> list[tuple[int, int, int]]:
        """Volume, page id and kind bits of all that was touched and not read yet."""
        found = []
        for line in self.ask("read"):
            volume, _, *records = line.split()
            for text in records:
                page, kinds = text.split(":")
                found.append((int(volume), int(page), int(kinds)))
        return found
