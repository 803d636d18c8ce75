# SPDX-License-Identifier: MIT
"""The profile: captures and image indexes in, the used pages of each file out (docs/profile-format.md).

Canonical JSON, one line a run and one a file, sorted, with no time or machine in it: the same captures give
the same bytes, in whatever order they are named. A profile that is read is untrusted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tinyprof.capture import CaptureReader
from tinyprof.cramfs import PAGE_SIZE
from tinyprof.errors import TinyprofError
from tinyprof.heat import Losses, PageHeat, Run, split_runs
from tinyprof.image_index import ImageIndex, WrongImageError
from tinyprof.records import Kind
from tinyprof.wire import Hello

FORMAT = 1
KIND_LETTERS = {Kind.EXEC: "x", Kind.READ: "r", Kind.WRITE: "w", Kind.FILE: "f"}

_LOSSES = ("frames", "corrupt", "records", "untraced", "write_errors", "beyond_limits")
_FILE_SIZE_LIMIT = 1 << 24
_COUNT_LIMIT = 1 << 53
_PATH_MAX = 0xFFFF
_TEXT_MAX = 255
_FSID = re.compile(r"[0-9a-f]{8}(/[0-9]{1,10}){3}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ProfileError(TinyprofError):
    """A profile that cannot be read, or captures of which none can be made."""


@dataclass(frozen=True, slots=True)
class PageUse:
    """In how many epochs a page was seen, in all and by kind (in the order of `Kind`), and the first of them.

    `first_epoch` is the lowest number that any run saw it in; a run's first epoch, the boot, is 1.
    """

    epochs: int
    first_epoch: int
    by_kind: tuple[int, int, int, int]

    @property
    def kinds(self) -> str:
        """The kinds it was seen as, of "xrwf"."""
        return "".join(letter for kind, letter in KIND_LETTERS.items() if self.by_kind[kind])


@dataclass(frozen=True, slots=True)
class FileUse:
    """The used pages of one file, which is known again by its content; `size` in bytes."""

    path: str
    size: int
    sha256: str
    pages: Mapping[int, PageUse]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One boot of a target that the profile is made of: its image and kernel, its epochs, what it lost."""

    fsid: str
    kernel: str
    epochs: int
    losses: Losses


@dataclass(frozen=True, slots=True)
class Profile:
    """`unknown_pages` are page ids that no file of the run's image has."""

    runs: tuple[RunFacts, ...]
    unknown_pages: int
    files: tuple[FileUse, ...]

    @property
    def epochs(self) -> int:
        """The epochs of all runs."""
        return sum(run.epochs for run in self.runs)


def make_profile(captures: Iterable[CaptureReader], image: ImageIndex | None = None) -> Profile:
    """Resolve and merge captures; each is read to its end.

    A run resolves with its capture's own index, or with `image` where that is the one the target ran.
    Raises WrongImageError naming both sides, also for an `image` that none of the targets ran, and
    ProfileError for a capture without index or hello.
    """
    merged = _Merge()
    elsewhere: list[WrongImageError | None] = []
    for capture in captures:
        indexes = [index for index in (capture.index, image) if index]
        if not indexes:
            raise ProfileError(
                f"{capture.name}: the capture carries no image index{_because(capture.index_fault)}",
                "give the image that was in flash with --image",
            )
        heard = False
        for run in split_runs(capture.events()):
            if run.hello:
                merged.add(run, _index_of(capture.name, run, indexes))
                elsewhere.append(_not_of(run.hello, image))
            heard = heard or run.hello is not None
        if not heard:
            raise ProfileError(
                f"{capture.name}: no target is named in it", "record again; the target sends one every 10 s"
            )
    # Whoever names an image means it, even where the captures could do without.
    errors = [error for error in elsewhere if error]
    if errors and len(errors) == len(elsewhere):
        raise errors[0]
    return merged.profile()


def _not_of(hello: Hello, image: ImageIndex | None) -> WrongImageError | None:
    """Why an image is not one that the target ran; None if it is, or there is none."""
    try:
        if image:
            image.volume_of(hello)
    except WrongImageError as error:
        return error
    return None


def _because(fault: str) -> str:
    return f" ({fault})" if fault else ""


def _index_of(name: str, run: Run, indexes: list[ImageIndex]) -> ImageIndex:
    assert run.hello
    errors = []
    for index in indexes:
        try:
            index.volume_of(run.hello)
            return index
        except WrongImageError as error:
            errors.append(error)
    # Where the user named an image, it stands last.
    raise WrongImageError(f"{name}: {errors[-1].message}", errors[-1].hint)


Content = tuple[str, int]
"""What a file is known by: SHA-256 and size."""


@dataclass(slots=True)
class _MergedFile:
    path: str
    pages: dict[int, PageUse] = field(default_factory=dict)


class _Merge:
    """Adds runs up. A file is its content: what has the same bytes merges, whatever its image and path."""

    def __init__(self) -> None:
        self._runs: list[RunFacts] = []
        self._files: dict[Content, _MergedFile] = {}
        self._unknown = 0

    def add(self, run: Run, index: ImageIndex) -> None:
        assert run.hello
        volume = run.volumes.get(index.volume_of(run.hello))
        heat = volume.pages if volume else {}
        epochs = volume.epochs if volume else 0
        self._runs.append(RunFacts(str(index.fsid), run.hello.kernel, epochs, run.losses))
        known: set[int] = set()
        # A target that does nothing but reboot has as many runs as it sent hellos.
        by_content = _by_content(heat, index, known) if heat else {}
        for content, (path, uses) in by_content.items():
            merged = self._files.setdefault(content, _MergedFile(path))
            merged.path = min(merged.path, path)
            for page, use in uses.items():
                merged.pages[page] = _sum(merged.pages[page], use) if page in merged.pages else use
        self._unknown += len(heat.keys() - known)

    def profile(self) -> Profile:
        files = [FileUse(it.path, size, sha256, it.pages) for (sha256, size), it in self._files.items()]
        files.sort(key=lambda file: (file.path, file.sha256))
        runs = sorted(
            self._runs, key=lambda run: (run.fsid, run.kernel, run.epochs, _loss_fields(run.losses))
        )
        return Profile(tuple(runs), self._unknown, tuple(files))


def _by_content(
    heat: Mapping[int, PageHeat], index: ImageIndex, known: set[int]
) -> dict[Content, tuple[str, dict[int, PageUse]]]:
    """First path and used pages of each content in one run. Adds the page ids it resolves to `known`."""
    found: dict[Content, tuple[str, dict[int, PageUse]]] = {}
    for file in index.files:
        ids = [(page, page_id) for page, page_id in enumerate(file.page_ids) if page_id in heat]
        if not ids:
            continue
        known.update(page_id for _, page_id in ids)
        _, merged = found.setdefault((file.sha256, file.size), (file.path, {}))
        for page, use in ((page, _page_use(heat[page_id])) for page, page_id in ids):
            # Two inodes of one content may have been seen in the same epochs: the larger count is safe.
            merged[page] = _larger(merged[page], use) if page in merged else use
    return found


def _page_use(heat: PageHeat) -> PageUse:
    exec_, read, write, file = heat.by_kind
    return PageUse(heat.epochs, heat.first_epoch, (exec_, read, write, file))


def _sum(one: PageUse, other: PageUse) -> PageUse:
    (a, b, c, d), (e, f, g, h) = one.by_kind, other.by_kind
    first = min(one.first_epoch, other.first_epoch)
    return PageUse(one.epochs + other.epochs, first, (a + e, b + f, c + g, d + h))


def _larger(one: PageUse, other: PageUse) -> PageUse:
    (a, b, c, d), (e, f, g, h) = one.by_kind, other.by_kind
    first = min(one.first_epoch, other.first_epoch)
    return PageUse(max(one.epochs, other.epochs), first, (max(a, e), max(b, f), max(c, g), max(d, h)))


def dump_profile(profile: Profile) -> str:
    """The profile's text."""
    runs = ",\n".join(_line(run_fields(run)) for run in profile.runs)
    files = ",\n".join(_line(_file_fields(file)) for file in profile.files)
    return (
        f'{{"format":{FORMAT},"unknown_pages":{profile.unknown_pages},'
        f'"runs":[\n{runs}\n],"files":[\n{files}\n]}}\n'
    )


def run_fields(run: RunFacts) -> dict[str, Any]:
    """A run as JSON has it."""
    losses = dict(zip(_LOSSES, _loss_fields(run.losses), strict=True))
    return {"image": run.fsid, "kernel": run.kernel, "epochs": run.epochs, "lost": losses}


def _loss_fields(losses: Losses) -> tuple[int, ...]:
    return tuple(getattr(losses, name) for name in _LOSSES)


def _file_fields(file: FileUse) -> dict[str, Any]:
    pages = [[page, use.epochs, use.first_epoch, *use.by_kind] for page, use in sorted(file.pages.items())]
    return {"path": file.path, "size": file.size, "sha256": file.sha256, "pages": pages}


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def load_profile(text: str) -> Profile:
    """Read a profile. Raises ProfileError naming what is wrong in it, and where."""
    try:
        fields = json.loads(text, object_pairs_hook=_unique)
        if not isinstance(fields, dict) or "format" not in fields:
            raise _Broken("no format")
        if fields["format"] != FORMAT:
            raise ProfileError(
                f"profile format {fields['format']!r:.20}, this is {FORMAT}", "use a newer tinyprof"
            )
        runs = tuple(_load_run(item, f"run {i}") for i, item in enumerate(_list(fields, "runs", "")))
        files = tuple(_load_file(item, f"file {i}") for i, item in enumerate(_list(fields, "files", "")))
        profile = Profile(runs, _count(fields, "unknown_pages", ""), files)
        _check_whole(profile)
        return profile
    except (ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, _Broken) else f"not JSON: {error}"
        raise ProfileError(f"not a tinyprof profile: {what}", "make one with 'tinyprof profile'") from None


class _Broken(ValueError):
    """What is wrong, and in which part."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _Broken("a name stands twice in one object")
    return fields


def _get(fields: Any, name: str, where: str) -> Any:
    if not isinstance(fields, dict) or name not in fields:
        raise _Broken(f"{where} has no {name}".strip())
    return fields[name]


def _list(fields: Any, name: str, where: str) -> list[Any]:
    value = _get(fields, name, where)
    if not isinstance(value, list):
        raise _Broken(f"{where} {name} is no list".strip())
    return value


def _whole(value: Any, least: int, limit: int, what: str) -> int:
    if type(value) is not int or not least <= value < limit:
        raise _Broken(f"{what} is no whole number from {least} to {limit - 1}")
    return value


def _count(fields: Any, name: str, where: str) -> int:
    return _whole(_get(fields, name, where), 0, _COUNT_LIMIT, f"{where} {name}".strip())


def _text(fields: Any, name: str, where: str, limit: int) -> str:
    value = _get(fields, name, where)
    if type(value) is not str or len(value) > limit:
        raise _Broken(f"{where} {name} is no string of at most {limit} characters")
    return value


def _load_run(fields: Any, where: str) -> RunFacts:
    fsid = _text(fields, "image", where, _TEXT_MAX)
    if not _FSID.fullmatch(fsid):
        raise _Broken(f"{where} image is no fsid")
    lost = _get(fields, "lost", where)
    losses = Losses(*(_count(lost, name, f"{where} lost") for name in _LOSSES))
    return RunFacts(fsid, _text(fields, "kernel", where, _TEXT_MAX), _count(fields, "epochs", where), losses)


def _load_file(fields: Any, where: str) -> FileUse:
    path = _text(fields, "path", where, _PATH_MAX)
    if not path.startswith("/") or "\0" in path:
        raise _Broken(f"{where} path is no absolute path")
    sha256 = _text(fields, "sha256", where, 64)
    if not _SHA256.fullmatch(sha256):
        raise _Broken(f"{where} sha256 is no hash")
    size = _whole(_get(fields, "size", where), 1, _FILE_SIZE_LIMIT, f"{where} size")
    rows = _list(fields, "pages", where)
    pages = dict(_load_pages(rows, -(-size // PAGE_SIZE), where))
    if len(pages) < len(rows):
        raise _Broken(f"{where} has a page twice")
    return FileUse(path, size, sha256, pages)


def _load_pages(rows: list[Any], limit: int, where: str) -> Iterator[tuple[int, PageUse]]:
    for row in rows:
        if type(row) is not list or len(row) != 7:
            raise _Broken(f"{where} has a page that is no list of 7 numbers")
        page = _whole(row[0], 0, limit, f"{where} page")
        epochs = _whole(row[1], 1, _COUNT_LIMIT, f"{where} page {page} epochs")
        first = _whole(row[2], 1, 1 << 32, f"{where} page {page} first epoch")
        exec_, read, write, file = (
            _whole(count, 0, epochs + 1, f"{where} page {page} epochs by kind") for count in row[3:]
        )
        if exec_ + read + write + file < epochs:
            raise _Broken(f"{where} page {page} was seen in more epochs than its kinds add up to")
        yield page, PageUse(epochs, first, (exec_, read, write, file))


def _check_whole(profile: Profile) -> None:
    if len({(file.sha256, file.size) for file in profile.files}) < len(profile.files):
        raise _Broken("a file's content stands twice")
    epochs = profile.epochs
    for i, file in enumerate(profile.files):
        if any(use.epochs > epochs for use in file.pages.values()):
            raise _Broken(f"file {i} has a page that was seen in more epochs than there were")
