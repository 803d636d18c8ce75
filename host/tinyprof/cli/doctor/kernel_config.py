# SPDX-License-Identifier: MIT
"""Reads the options of a kernel: a `.config`, a copy of /proc/config.gz, or a kernel image that
has its configuration inside (CONFIG_IKCONFIG).

A file is untrusted. At most KERNEL_MAX bytes of it are read, and at most UNPACKED_MAX of what is
compressed in it.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from tinyprof.errors import TinyprofError

KERNEL_MAX = 128 << 20
"""Bytes of a kernel image."""
UNPACKED_MAX = 256 << 20
"""Bytes that are unpacked of one file."""
CONFIG_MAX = 4 << 20
"""Bytes of a configuration. That of a distribution's kernel has 300 KiB."""
PAYLOADS_MAX = 64
"""Places in an image at which something compressed may begin, and which are tried."""
_CHUNK = 1 << 16
"""Bytes that go into a decompressor at once, and that come out of it."""

EMBEDDED = b"IKCFG_ST\x1f\x8b"
"""What stands before the configuration in a kernel (kernel/configs.c), and how gzip begins."""

_GZIP, _XZ, _BZIP2 = b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"BZh"
_LZMA = b"\x5d\x00\x00"
_ZSTD, _LZ4 = b"\x28\xb5\x2f\xfd", b"\x02\x21\x4c\x18"

_VERSION = re.compile(
    r"^# Linux/(\S{1,64}) ([0-9]{1,6})\.([0-9]{1,6})(?:\.([0-9]{1,6}))?\S{0,64} "
    r"Kernel Configuration",
    re.M,
)
_OPTION = re.compile(r"^CONFIG_([A-Za-z0-9_]{1,128})=(.*)$", re.M)
_UNSET = re.compile(r"^# CONFIG_[A-Za-z0-9_]+ is not set$", re.M)


class ConfigError(TinyprofError):
    """A file that has no kernel configuration."""


class Unpacker(Protocol):
    """A decompressor of the standard library."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes | memoryview, max_length: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class KernelConfig:
    """The options of a kernel that are set, by name without CONFIG_.

    `version`: three numbers, or None. `arch`: as the configuration's head names it, or an empty
    text.
    """

    options: Mapping[str, str]
    version: tuple[int, int, int] | None = None
    arch: str = ""

    def has(self, name: str) -> bool:
        """Whether an option is built in, or is a module."""
        return self.options.get(name) in ("y", "m")

    def is_built_in(self, name: str) -> bool:
        """Whether an option is built in."""
        return self.options.get(name) == "y"

    @property
    def version_text(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version)) if self.version else "of an unknown version"


def is_config_text(data: bytes) -> bool:
    """Whether bytes begin as a `.config` does, or name options of a kernel."""
    head = data[: 1 << 16].decode("utf-8", "replace")
    return bool(_VERSION.search(head) or _UNSET.search(head) or _OPTION.search(head))


def is_kernel(data: bytes) -> bool:
    """Whether bytes are a kernel image of a usual kind, or something compressed."""
    kinds = (
        data[:3] == _GZIP,
        data[0x24:0x28] == b"\x18\x28\x6f\x01",  # zImage of ARM
        data[0x38:0x3C] in (b"ARM\x64", b"RSC\x05"),  # Image of arm64 and RISC-V
        data[0x202:0x206] == b"HdrS",  # bzImage of x86
        data[:4] == b"\x27\x05\x19\x56",  # uImage
        EMBEDDED in data,
    )
    return any(kinds)


def read_config(data: bytes) -> KernelConfig:
    """The options in a file's bytes. Raises ConfigError where there are none."""
    if data[:3] != _GZIP and is_config_text(data) and EMBEDDED not in data:
        return parse_config(data[:CONFIG_MAX])
    for stage in _stages(data):
        if (at := stage.find(EMBEDDED)) >= 0:
            config = _unpacked(memoryview(stage)[at + 8 :], _Gunzip(), CONFIG_MAX)[0] or b""
        else:
            config = stage[:CONFIG_MAX] if stage is not data else b""
        if is_config_text(config):
            return parse_config(config)
    if _ZSTD in data or _LZ4 in data:
        raise ConfigError(
            "no options found: the kernel may be compressed with zstd or lz4, which is not read",
            "give its .config, or a copy of the target's /proc/config.gz",
        )
    raise ConfigError(
        "no kernel options found in it",
        "give the kernel's .config or a copy of the target's /proc/config.gz; an image has its "
        "options inside where it was built with CONFIG_IKCONFIG",
    )


def parse_config(data: bytes) -> KernelConfig:
    """The options of a `.config`. A value that is no y, m or text is kept as it stands."""
    text = data.decode("utf-8", "replace")
    options = {found[1]: found[2].strip() for found in _OPTION.finditer(text)}
    head = _VERSION.search(text)
    if head is None:
        return KernelConfig(options)
    major, minor, patch = (int(number) for number in (head[2], head[3], head[4] or "0"))
    return KernelConfig(options, (major, minor, patch), head[1])


def _stages(data: bytes) -> Iterator[bytes]:
    """The bytes themselves, then everything compressed in them that can be unpacked, up to
    UNPACKED_MAX bytes together. The bytes of a payload that breaks count, too."""
    yield data
    room = UNPACKED_MAX
    unpackers: tuple[tuple[bytes, Callable[[], Unpacker]], ...] = (
        (_GZIP, _Gunzip),
        (_XZ, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=UNPACKED_MAX)),
        (_BZIP2, bz2.BZ2Decompressor),
        (_LZMA, lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=UNPACKED_MAX)),
    )
    for magic, unpacker in unpackers:
        at = data.find(magic)
        for _ in range(PAYLOADS_MAX):
            if at < 0:
                break
            stage, count = _unpacked(memoryview(data)[at:], unpacker(), room)
            room -= count
            if stage:
                yield stage
            at = data.find(magic, at + 1)


class _Gunzip:
    """zlib's decompressor of gzip, used as those of lzma and bz2 are."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    def decompress(self, data: bytes | memoryview, max_length: int) -> bytes:
        unpacked = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self.needs_input = len(unpacked) < max_length
        return unpacked


def _unpacked(
    payload: bytes | memoryview, unpacker: Unpacker, limit: int
) -> tuple[bytes | None, int]:
    """At most `limit` bytes of a payload, and how many bytes came out of it.

    1. Bytes behind the payload's end do not matter.
    2. A payload that is cut short gives what it has.
    3. A payload that breaks gives None. Its bytes are counted up to there.
    """
    pieces: list[bytes] = []
    count = 0
    try:
        for piece in _pieces(payload, unpacker, limit):
            pieces.append(piece)
            count += len(piece)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
        return None, count
    return b"".join(pieces), count


def _pieces(payload: bytes | memoryview, unpacker: Unpacker, limit: int) -> Iterator[bytes]:
    for at in range(0, len(payload), _CHUNK):
        data = payload[at : at + _CHUNK]
        while limit > 0 and not unpacker.eof:
            piece = unpacker.decompress(data, min(_CHUNK, limit))
            limit -= len(piece)
            yield piece
            if unpacker.needs_input:
                break
            data = b""
        else:
            return
