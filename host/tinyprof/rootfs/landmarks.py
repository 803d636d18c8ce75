# SPDX-License-Identifier: MIT
"""Finds names by which the places of a file are known again in its next version.

A file's bytes come in, symbols sorted by their place go out. There are two kinds:

1. The functions and objects of an ELF file and of its separate debug file (elf_names.py).
2. Landmarks, so that a stripped file has some too. They are the few stretches of each page with
   the least checksums. The same stretches are chosen wherever they have moved.

A file is untrusted: a broken one has no functions.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from heapq import nsmallest

from tinyprof.pages import PAGE_SIZE
from tinyprof.profile.model import FileUse, NamedRange, Profile
from tinyprof.rootfs.elf_names import read_names

NEAR_PAGES = 4
"""Pages. Symbols up to this far from a used page are kept, to place bytes without a symbol."""

LANDMARKS = 6
"""Landmarks of a page."""

LANDMARK_SIZE, LANDMARK_STEP = 24, 2
"""Bytes of a landmark, which is a few instructions, and bytes between the places where one may
begin, which is the shortest instruction."""

LANDMARK = "~"
"""The first character of a landmark's name. Its checksum in hexadecimal digits follows."""

_IS_LANDMARK = re.compile(f"{LANDMARK}[0-9a-f]{{1,8}}", re.ASCII)


def read_symbols(data: bytes, debug: bytes = b"") -> tuple[NamedRange, ...]:
    """The functions and objects of a file, sorted by their place; `debug` is its separate debug
    file, if there is one."""
    return read_names(data, debug).functions


def with_symbols(profile: Profile, contents: Mapping[str, tuple[bytes, bytes]]) -> Profile:
    """The profile with the symbols near used pages and with landmarks.

    `contents` has the bytes of each file and of its debug file, by the file's SHA-256.
    """
    files = tuple(
        replace(file, symbols=_landmarked(file, *contents[file.sha256]))
        if file.sha256 in contents
        else file
        for file in profile.files
    )
    return replace(profile, files=files)


def _landmarked(file: FileUse, content: bytes, debug: bytes) -> tuple[NamedRange, ...]:
    symbols = {*_near(read_names(content, debug).functions, file)}
    for page in file.pages:
        symbols.update(_landmarks_of(content, page))
    return tuple(sorted(symbols, key=lambda symbol: (symbol.offset, symbol.size, symbol.name)))


def _landmarks_of(content: bytes, page: int) -> Iterator[NamedRange]:
    """The landmarks that begin on a page; the last may end on the next one."""
    crc = zlib.crc32
    end = min((page + 1) * PAGE_SIZE, len(content) - LANDMARK_SIZE + 1)
    places = (
        (crc(content[at : at + LANDMARK_SIZE]), at)
        for at in range(page * PAGE_SIZE, end, LANDMARK_STEP)
    )
    for checksum, at in nsmallest(LANDMARKS, places):
        yield NamedRange(f"{LANDMARK}{checksum:x}", at, LANDMARK_SIZE)


def find_landmarks(content: bytes, wanted: Iterable[NamedRange]) -> list[NamedRange]:
    """All places in another content at which these landmarks stand."""
    checksums = {
        int(symbol.name[1:], 16): symbol.name
        for symbol in wanted
        if _IS_LANDMARK.fullmatch(symbol.name)
    }
    crc = zlib.crc32
    if not checksums:
        return []
    return [
        NamedRange(checksums[checksum], at, LANDMARK_SIZE)
        for at in range(0, len(content) - LANDMARK_SIZE + 1, LANDMARK_STEP)
        if (checksum := crc(content[at : at + LANDMARK_SIZE])) in checksums
    ]


def _near(symbols: Iterable[NamedRange], file: FileUse) -> tuple[NamedRange, ...]:
    """The symbols that lie at most NEAR_PAGES from a used page."""
    used = sorted(file.pages)

    def is_near(symbol: NamedRange) -> bool:
        first = symbol.offset // PAGE_SIZE - NEAR_PAGES
        last = (symbol.offset + symbol.size - 1) // PAGE_SIZE + NEAR_PAGES
        at = bisect_left(used, first)
        return at < len(used) and used[at] <= last

    return tuple(filter(is_near, symbols))
