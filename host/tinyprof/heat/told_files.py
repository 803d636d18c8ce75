# SPDX-License-Identifier: MIT
"""The files that a target tells of its file volume: file messages in, whole files out.

A path may come in several parts. Everything is untrusted, so the number of files and the bytes of
their paths have limits, and no two files share a page id. Nothing here knows whether a file
exists.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass

from tinyprof.wire.messages import FilePart

FILES_MAX = 1 << 16
"""Files of one boot that are kept."""

PATH_BYTES_MAX = 8 << 20
"""Bytes of the paths of one boot's files together."""

BEGUN_MAX = 16
"""Files whose paths are put together at the same time."""


@dataclass(frozen=True, slots=True)
class ToldFile:
    """A file as the target tells it. The fields are those of `FilePart`; `path` is whole."""

    volume: int
    page_id: int
    pages: int
    size: int
    device: int
    inode: int
    path: str

    @property
    def page_ids(self) -> range:
        """The ids of its pages."""
        return range(self.page_id, self.page_id + self.pages)

    def as_message(self) -> FilePart:
        """Return the message that tells it, with the whole path in it."""
        path = self.path.encode("utf-8", "surrogateescape")
        numbers = self.volume, self.page_id, self.pages, self.size, self.device, self.inode
        return FilePart(*numbers, len(path), 0, path)


class ToldFiles:
    """The files of one boot, in the order in which they were told.

    1. A file that is told again under its page ids changes nothing: the first telling counts.
    2. A file whose page ids another file has, or that is beyond the limits, is refused.
    3. A path that lacks a part is forgotten. The target tells its files again.

    `refused`: how many were.
    """

    def __init__(self) -> None:
        self.refused = 0
        self._files: dict[tuple[int, int], ToldFile] = {}
        self._taken: list[tuple[int, int, int]] = []
        self._begun: dict[tuple[int, int], bytearray] = {}
        self._path_bytes = 0

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[ToldFile]:
        return iter(self._files.values())

    def of_volume(self, volume: int | None) -> list[ToldFile]:
        """The files of one volume."""
        return [file for file in self._files.values() if file.volume == volume]

    def take(self, message: FilePart) -> None:
        """Take a part of a file's path."""
        key = message.volume, message.page_id
        known = self._files.get(key)
        if known is None:
            self._put_together(key, message)
        elif _identity(known) != _identity(message) and not message.offset:
            self.refused += 1

    def _put_together(self, key: tuple[int, int], message: FilePart) -> None:
        path = self._begun.pop(key, bytearray()) if message.offset else bytearray()
        if len(path) != message.offset:
            return
        path += message.part
        if len(path) < message.path_size:
            if len(self._begun) >= BEGUN_MAX:
                del self._begun[next(iter(self._begun))]
            self._begun[key] = path
        elif self._has_room_for(message):
            self._path_bytes += len(path)
            insort(self._taken, (*key, message.page_id + message.pages))
            self._files[key] = ToldFile(
                *key,
                message.pages,
                message.size,
                message.device,
                message.inode,
                path.decode("utf-8", "surrogateescape"),
            )
        else:
            self.refused += 1

    def _has_room_for(self, message: FilePart) -> bool:
        if len(self) >= FILES_MAX or self._path_bytes + message.path_size > PATH_BYTES_MAX:
            return False
        end = message.page_id + message.pages
        at = bisect_right(self._taken, (message.volume, message.page_id, end))
        neighbours = self._taken[max(0, at - 1) : at + 1]
        return not any(
            volume == message.volume and first < end and message.page_id < its_end
            for volume, first, its_end in neighbours
        )


def _identity(file: ToldFile | FilePart) -> tuple[int, int, int]:
    return file.pages, file.device, file.inode
