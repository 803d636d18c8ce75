# SPDX-License-Identifier: MIT
"""The profile: captures and their image in, the used pages of each file by path out (docs/profile-format.md).

Canonical JSON, one line a file, sorted, with no time or machine in it: the same captures give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tinyprof.capture import Capture
from tinyprof.cramfs import EntryKind, Fsid, Image
from tinyprof.errors import TinyprofError
from tinyprof.wire import Hello, Kind, Pages

FORMAT = 1
KIND_LETTERS = {Kind.EXEC: "x", Kind.READ: "r", Kind.WRITE: "w", Kind.FILE: "f"}


class ProfileError(TinyprofError):
    """A profile that cannot be read, or that is of another image."""


@dataclass(frozen=True, slots=True)
class PageUse:
    """How one page was used: in how many epochs it was seen, first in which, and as what ("xrwf")."""

    epochs: int
    first_epoch: int
    kinds: str


@dataclass(frozen=True, slots=True)
class FileUse:
    """The used pages of one file, which is known again by its content."""

    path: str
    size: int
    sha256: str
    pages: Mapping[int, PageUse]


@dataclass(frozen=True, slots=True)
class Profile:
    """`epochs` and `lost_frames` over all captures; `unknown_pages` are page ids that no file has."""

    fsid: str
    kernel: str
    epochs: int
    lost_frames: int
    unknown_pages: int
    files: tuple[FileUse, ...]


def make_profile(captures: Iterable[Capture], image: Image) -> Profile:
    """Resolve and merge captures of one image. Raises ProfileError naming both sides for another image."""
    seen: dict[int, dict[tuple[int, int], set[int]]] = {}
    kernel, lost = "", 0
    epochs: set[tuple[int, int]] = set()
    for run, capture in enumerate(captures):
        lost += capture.lost_frames + capture.corrupt_frames
        index = None
        for message in capture.messages:
            if isinstance(message, Hello):
                index, kernel = _volume_of(message, image.superblock.fsid), message.kernel
            elif isinstance(message, Pages) and message.volume == index:
                epochs.add((run, message.epoch))
                for page_id, kind in zip(message.page_ids, message.kinds, strict=True):
                    seen.setdefault(page_id, {}).setdefault((run, message.epoch), set()).add(kind)
        if index is None:
            raise ProfileError("the capture holds no hello", "record again from the start of the target")
    files = _files(seen, image)
    unknown = len(seen) - sum(len(file.pages) for file in files)
    return Profile(str(image.superblock.fsid), kernel, len(epochs), lost, max(unknown, 0), tuple(files))


def _volume_of(hello: Hello, fsid: Fsid) -> int:
    for volume in hello.volumes:
        if volume.fsid == fsid:
            return volume.index
    theirs = ", ".join(str(volume.fsid) for volume in hello.volumes) or "no volume"
    raise ProfileError(f"the target ran {theirs}, the image is {fsid}", "give the image that was in flash")


def _files(seen: Mapping[int, Mapping[tuple[int, int], set[int]]], image: Image) -> list[FileUse]:
    """Files with used pages. Names of one content share their pages: the first stands for all of them."""
    files: list[FileUse] = []
    taken: set[int] = set()
    for entry in sorted(image.entries, key=lambda entry: entry.path):
        if entry.kind is not EntryKind.FILE or not entry.size or entry.ino in taken:
            continue
        taken.add(entry.ino)
        pages = {
            index: _page_use(seen[entry.page_id(index)])
            for index in range(entry.pages)
            if entry.page_id(index) in seen
        }
        if pages:
            digest = hashlib.sha256(image.read(entry)).hexdigest()
            files.append(FileUse(entry.path, entry.size, digest, pages))
    return files


def _page_use(uses: Mapping[tuple[int, int], set[int]]) -> PageUse:
    kinds = set().union(*uses.values())
    letters = "".join(letter for kind, letter in KIND_LETTERS.items() if kind in kinds)
    return PageUse(len(uses), min(epoch for _, epoch in uses), letters)


def dump_profile(profile: Profile) -> str:
    """The profile's text."""
    head = {
        "format": FORMAT,
        "fsid": profile.fsid,
        "kernel": profile.kernel,
        "epochs": profile.epochs,
        "lost_frames": profile.lost_frames,
        "unknown_pages": profile.unknown_pages,
    }
    lines = [_line(_file_fields(file)) for file in profile.files]
    return _line(head)[:-1] + ',"files":[\n' + ",\n".join(lines) + "\n]}\n"


def _file_fields(file: FileUse) -> dict[str, Any]:
    pages = [[index, use.epochs, use.first_epoch, use.kinds] for index, use in sorted(file.pages.items())]
    return {"path": file.path, "size": file.size, "sha256": file.sha256, "pages": pages}


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def load_profile(text: str) -> Profile:
    """Read a profile. Raises ProfileError naming what is wrong in it."""
    try:
        fields = json.loads(text)
        if fields["format"] != FORMAT:
            raise ProfileError(f"profile format {fields['format']}, this is {FORMAT}", "use a newer tinyprof")
        files = tuple(_load_file(file) for file in fields["files"])
        epochs, lost, unknown = (int(fields[name]) for name in ("epochs", "lost_frames", "unknown_pages"))
        return Profile(str(fields["fsid"]), str(fields["kernel"]), epochs, lost, unknown, files)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProfileError(f"not a tinyprof profile: {error!r}", "make one with 'tinyprof profile'") from None


def _load_file(fields: Mapping[str, Any]) -> FileUse:
    pages = {int(i): PageUse(int(n), int(first), str(kinds)) for i, n, first, kinds in fields["pages"]}
    return FileUse(str(fields["path"]), int(fields["size"]), str(fields["sha256"]), pages)
