# SPDX-License-Identifier: MIT
"""Reads the files that a profile is about: an image or a tree in, the content of a file out.

A file counts only if its content has the hash that the profile knows. The names in another version
of the file would be wrong. Nothing is read before the first question.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path

from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.programs import head_in
from tinyprof.cramfs.reading.reader import open_image
from tinyprof.cramfs.tree import Tree
from tinyprof.profile.model import FileUse
from tinyprof.rootfs.elf_names import Names, read_names
from tinyprof.segments.split import original_of

Reader = Callable[[], bytes]
NAMED_MAX = 64
"""Number of files whose names are kept: those asked for last."""


class Contents:
    """The files of an image or a tree. Several threads may ask.

    `load` gives a reader for each path. It is called at the first question.
    """

    def __init__(self, load: Callable[[], Mapping[str, Reader]]) -> None:
        self._load = load
        self._readers: Mapping[str, Reader] | None = None
        self._lock = threading.Lock()
        self._heads: dict[str, bytes | None] = {}
        self._named = lru_cache(NAMED_MAX)(self._read_names)

    def content(self, path: str, sha256: str) -> bytes | None:
        """The bytes of a file, or of its original where the file is split.

        None where there is no file of this path and hash. Raises TinyprofError or OSError for a
        file that cannot be read.
        """
        with self._lock:
            if self._readers is None:
                self._readers = self._load()
        reader = self._readers.get(path)
        if reader is None:
            return None
        data = reader()
        return next(
            (it for it in (data, original_of(data)) if hashlib.sha256(it).hexdigest() == sha256),
            None,
        )

    def head(self, file: FileUse) -> bytes | None:
        """The first bytes of a file, as many as mapped_parts() needs; None where it is not
        there."""
        if file.sha256 not in self._heads:
            data = self.content(file.path, file.sha256)
            self._heads[file.sha256] = None if data is None else head_in(data)
        return self._heads[file.sha256]

    def names(self, file: FileUse) -> Names | None:
        """The sections and functions of a file; None where it is not there."""
        return self._named(file.path, file.sha256)

    def _read_names(self, path: str, sha256: str) -> Names | None:
        data = self.content(path, sha256)
        return None if data is None else read_names(data)


def contents_of_image(path: Path) -> Contents:
    """The files of an image file."""

    def load() -> Mapping[str, Reader]:
        image = open_image(path)
        files = (entry for entry in image.entries if entry.kind is EntryKind.FILE)
        return {entry.path: partial(image.read, entry) for entry in files}

    return Contents(load)


def contents_of_tree(rootfs: Path) -> Contents:
    """The files of a root filesystem's directory."""

    def load() -> Mapping[str, Reader]:
        tree = Tree.from_directory(rootfs, any_owner=True)
        return {node.path: node.content for node in tree.files()}

    return Contents(load)
