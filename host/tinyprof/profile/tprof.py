# SPDX-License-Identifier: MIT
"""The text of a profile (`*.tprof`, docs/profile-format.md): a profile in, JSON out, and back.

Each boot and each file has a line. The lines are sorted and hold no time and no machine, so the
same profile gives the same bytes. A text that is read is untrusted. Fields that a later version
added are kept and written again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tinyprof.heat.losses import Losses
from tinyprof.heat.volume_heat import PHASES_MAX
from tinyprof.json_text import (
    Broken,
    fault_in,
    read_json,
    refuse_deep,
    refuse_large,
    version_for,
)
from tinyprof.pages import PROCESSES_MAX, pages_in
from tinyprof.profile.mappings import load_mappings, mappings_field
from tinyprof.profile.model import (
    AS_ANYTHING,
    COUNT_LIMIT,
    EITHER,
    KIND_LETTERS,
    LOSSES,
    WEIGHT_MAX,
    BootFacts,
    FileUse,
    LinkUse,
    NamedRange,
    PageUse,
    PhaseFacts,
    Profile,
    ProfileError,
    Seen,
)
from tinyprof.wire.source import TouchSource, source_fields, source_of

FORMAT = 2

PROFILE_MAX = 32 << 20
"""Bytes of a profile's text. A page takes about 60, and an image has at most 69,632 of them."""

_FILE_SIZE_LIMIT = 1 << 24
"""Bytes. CramFS files are smaller than this."""

_EPOCH_LIMIT = 1 << 32
"""Numbers of epochs are below this number: the target counts them in 32 bits."""

_PATH_MAX = 0xFFFF
"""Characters of a path or a symbol's name."""

_TEXT_MAX = 255
"""Characters of any other text."""

_KEYS = (*KIND_LETTERS.values(), EITHER, AS_ANYTHING)
_FSID = re.compile(r"[0-9a-f]{8}(/[0-9]{1,10}){3}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HASH = re.compile(r"([0-9a-f]{16})?", re.ASCII)

_TOP_NAMES = {"format", "tinyprof", "unknown_pages", "links", "runs", "files"}
_RUN_NAMES = {"image", "kernel", "epochs", "weight", "phases", "lost", "source", "in_place"}
_OPTIONAL_LOSSES = {"lost_events"}
"""Losses that a boot names only where there are some: older versions did not know them."""
_FILE_NAMES = {"path", "size", "sha256", "images", "processes", "mappings", "pages", "symbols"}


def dump_profile(profile: Profile) -> str:
    """The profile's text, in ASCII. Raises ProfileError for one that no reader would take."""
    top = {"format": FORMAT, "unknown_pages": profile.unknown_pages, **_sorted(profile.extra)}
    if profile.links is not None:
        top["links"] = [
            [link.path, link.target, link.images, _seen_row(link.seen)] for link in profile.links
        ]
    boots = ",\n".join(_line(boot_fields(boot)) for boot in profile.boots)
    files = ",\n".join(_line(_file_fields(file)) for file in profile.files)
    text = f'{_line(top)[:-1]},"runs":[\n{boots}\n],"files":[\n{files}\n]}}\n'
    try:
        refuse_large(text, PROFILE_MAX)
    except Broken as error:
        raise ProfileError(
            f"the profile is too large: {error}",
            "leave out --symbols, or merge profiles of fewer images",
        ) from None
    return text


def boot_fields(boot: BootFacts) -> dict[str, Any]:
    """The JSON fields of a boot."""
    return {
        "image": boot.fsid,
        "kernel": boot.kernel,
        "epochs": boot.epochs,
        "weight": boot.weight,
        "phases": [
            [phase.name, phase.first, phase.epochs, phase.fresh, phase.steady]
            for phase in boot.phases
        ],
        "lost": {
            name: count
            for name in LOSSES
            if (count := getattr(boot.losses, name)) or name not in _OPTIONAL_LOSSES
        },
        **({"source": source_fields(boot.source)} if boot.source else {}),
        **({"in_place": boot.in_place} if boot.in_place else {}),
        **_sorted(boot.extra),
    }


def _file_fields(file: FileUse) -> dict[str, Any]:
    symbols = [[symbol.name, symbol.offset, symbol.size] for symbol in file.symbols]
    return {
        "path": file.path,
        "size": file.size,
        "sha256": file.sha256,
        "images": file.images,
        **({} if file.processes is None else {"processes": file.processes}),
        **mappings_field(file.mappings),
        "pages": [_page_row(page, use) for page, use in sorted(file.pages.items())],
        **({"symbols": symbols} if symbols else {}),
        **_sorted(file.extra),
    }


def _page_row(page: int, use: PageUse) -> list[Any]:
    seen = {key: _seen_row(use.seen[key]) for key in _KEYS if key in use.seen}
    return [page, use.hash, seen]


def _seen_row(it: Seen) -> list[int]:
    return [it.epochs, it.steady, it.first, it.last, it.stretches, it.longest, it.boots]


def _sorted(extra: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(extra.items()))


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def load_profile(text: str) -> Profile:
    """Read a profile. Raises ProfileError that names the fault and its place."""
    try:
        fields = read_json(text, PROFILE_MAX)
        if not isinstance(fields, dict) or "format" not in fields:
            raise Broken("no format")
        _refuse_plan(fields)
        _check_format(fields)
        boots = tuple(
            _load_boot(item, f"run {i}") for i, item in enumerate(_list(fields, "runs", ""))
        )
        files = tuple(
            _load_file(item, f"file {i}") for i, item in enumerate(_list(fields, "files", ""))
        )
        links = None
        if "links" in fields:
            links = tuple(
                _load_link(row, f"link {i}") for i, row in enumerate(_list(fields, "links", ""))
            )
        profile = Profile(
            boots, _count(fields, "unknown_pages", ""), files, _extra(fields, _TOP_NAMES), links
        )
        _check_whole(profile)
        return profile
    except (ValueError, RecursionError) as error:
        raise ProfileError(
            f"not a tinyprof profile: {fault_in(error)}", "make one with 'tinyprof profile'"
        ) from None


def _refuse_plan(fields: Mapping[str, Any]) -> None:
    """A plan has pages by path, and no boots."""
    if "pages" in fields and "runs" not in fields:
        raise ProfileError(
            "this is a plan, not a profile",
            "give the profile that it was made from; 'tinyprof build --plan' takes plans",
        )


def _check_format(fields: Mapping[str, Any]) -> None:
    found = fields["format"]
    if found == FORMAT and type(found) is int:
        return
    if found == 1 and type(found) is int:
        raise ProfileError(
            "profile format 1, from before the first release", "make it again from its captures"
        )
    raise ProfileError(
        f"profile format {found!r:.20}, this reads {FORMAT}", f"use {version_for(fields)} or newer"
    )


def _extra(fields: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    extra = {name: value for name, value in fields.items() if name not in known}
    refuse_deep(extra)
    return extra


def _get(fields: Any, name: str, where: str) -> Any:
    if not isinstance(fields, dict) or name not in fields:
        raise Broken(f"{where} has no {name}".strip())
    return fields[name]


def _list(fields: Any, name: str, where: str) -> list[Any]:
    value = _get(fields, name, where)
    if not isinstance(value, list):
        raise Broken(f"{where} {name} is no list".strip())
    return value


def _whole(value: Any, least: int, limit: int, what: str) -> int:
    if type(value) is not int or not least <= value < limit:
        raise Broken(f"{what} is no whole number from {least} to {limit - 1}")
    return value


def _count(fields: Any, name: str, where: str) -> int:
    return _whole(_get(fields, name, where), 0, COUNT_LIMIT, f"{where} {name}".strip())


def _text(value: Any, what: str, limit: int) -> str:
    if type(value) is not str or len(value) > limit:
        raise Broken(f"{what} is no string of at most {limit} characters")
    return value


def _fsid(value: Any, what: str) -> str:
    if not _FSID.fullmatch(_text(value, what, _TEXT_MAX)):
        raise Broken(f"{what} is no fsid")
    return str(value)


def _load_boot(fields: Any, where: str) -> BootFacts:
    losses = _load_losses(_get(fields, "lost", where), f"{where} lost")
    phases = tuple(_load_phase(row, f"{where} phases") for row in _list(fields, "phases", where))
    epochs = _count(fields, "epochs", where)
    if len(phases) > PHASES_MAX or sum(phase.epochs for phase in phases) != epochs:
        raise Broken(f"{where} phases do not add up to its epochs")
    return BootFacts(
        _fsid(_get(fields, "image", where), f"{where} image"),
        _text(_get(fields, "kernel", where), f"{where} kernel", _TEXT_MAX),
        epochs,
        losses,
        phases,
        _whole(_get(fields, "weight", where), 1, WEIGHT_MAX + 1, f"{where} weight"),
        _extra(fields, _RUN_NAMES),
        _load_source(fields["source"], f"{where} source") if "source" in fields else None,
        _count(fields, "in_place", where) if "in_place" in fields else 0,
    )


def _load_losses(lost: Any, where: str) -> Losses:
    named = {**dict.fromkeys(_OPTIONAL_LOSSES, 0), **lost} if isinstance(lost, dict) else lost
    return Losses(*(_count(named, name, where) for name in LOSSES))


def _load_source(fields: Any, where: str) -> TouchSource:
    source = source_of(fields)
    if source is None:
        raise Broken(f"{where} is no tracer, rearm, around, kinds and late of a source")
    return source


def _load_phase(row: Any, where: str) -> PhaseFacts:
    if type(row) is not list or len(row) != 5 or type(row[4]) is not bool:
        raise Broken(
            f"{where} has one that is no list of name, first epoch, epochs, pages, steady"
        )
    return PhaseFacts(
        _text(row[0], f"{where} name", _TEXT_MAX),
        _whole(row[1], 1, _EPOCH_LIMIT + 1, f"{where} first epoch"),
        _whole(row[2], 0, COUNT_LIMIT, f"{where} epochs"),
        _whole(row[3], 0, COUNT_LIMIT, f"{where} pages"),
        row[4],
    )


def _load_file(fields: Any, where: str) -> FileUse:
    path = _text(_get(fields, "path", where), f"{where} path", _PATH_MAX)
    if not path.startswith("/") or "\0" in path:
        raise Broken(f"{where} path is no absolute path")
    sha256 = _text(_get(fields, "sha256", where), f"{where} sha256", 64)
    if not _SHA256.fullmatch(sha256):
        raise Broken(f"{where} sha256 is no hash")
    size = _whole(_get(fields, "size", where), 1, _FILE_SIZE_LIMIT, f"{where} size")
    images = tuple(_fsid(item, f"{where} images") for item in _list(fields, "images", where))
    rows = _list(fields, "pages", where)
    pages = dict(_load_pages(rows, pages_in(size), f"{where} ({path:.60})"))
    if len(pages) < len(rows):
        raise Broken(f"{where} has a page twice")
    symbols: tuple[NamedRange, ...] = ()
    if "symbols" in fields:
        symbols = tuple(_load_symbol(row, size, where) for row in _list(fields, "symbols", where))
    processes = None
    if "processes" in fields:
        processes = _whole(fields["processes"], 1, PROCESSES_MAX + 1, f"{where} processes")
    extra = _extra(fields, _FILE_NAMES)
    mappings = load_mappings(fields, pages_in(size), COUNT_LIMIT, where)
    return FileUse(path, size, sha256, pages, images, symbols, processes, extra, mappings)


def _load_symbol(row: Any, size: int, where: str) -> NamedRange:
    if type(row) is not list or len(row) != 3:
        raise Broken(f"{where} has a symbol that is no list of name, offset, size")
    name = _text(row[0], f"{where} symbol name", _PATH_MAX)
    offset = _whole(row[1], 0, size, f"{where} symbol offset")
    return NamedRange(name, offset, _whole(row[2], 0, size + 1, f"{where} symbol size"))


def _load_link(row: Any, where: str) -> LinkUse:
    if type(row) is not list or len(row) != 4 or type(row[2]) is not list:
        raise Broken(f"{where} is no list of path, target, images, and when it was followed")
    path = _text(row[0], f"{where} path", _PATH_MAX)
    if not path.startswith("/") or "\0" in path:
        raise Broken(f"{where} path is no absolute path")
    target = _text(row[1], f"{where} target", _PATH_MAX)
    images = tuple(_fsid(item, f"{where} images") for item in row[2])
    return LinkUse(path, target, images, _load_seen(row[3], where, 0))


def _load_pages(rows: list[Any], limit: int, where: str) -> Iterator[tuple[int, PageUse]]:
    for row in rows:
        if type(row) is not list or len(row) != 3 or type(row[2]) is not dict:
            raise Broken(
                f"{where} has a page that is no list of number, hash, and when it was seen"
            )
        page, digest, seen = row
        if type(page) is not int or not 0 <= page < limit:
            raise Broken(f"{where} page {page!r:.20} is impossible: the file has {limit}")
        if type(digest) is not str or not _HASH.fullmatch(digest):
            raise Broken(f"{where} page {page} hash is none")
        use = PageUse(
            digest, {key: _load_seen(seen[key], where, page) for key in _KEYS if key in seen}
        )
        _check_page(use, seen, f"{where} page {page}")
        yield page, use


def _load_seen(row: Any, where: str, page: int) -> Seen:
    # A profile has more of these rows than of anything else, so their messages are made late.
    if (
        type(row) is list
        and len(row) == 7
        and all(type(n) is int and 0 <= n < COUNT_LIMIT for n in row)
    ):
        epochs, steady, first, last, stretches, longest, boots = row
        possible = steady <= epochs and 1 <= first <= last < _EPOCH_LIMIT
        if (
            possible
            and 1 <= stretches <= epochs
            and 1 <= longest <= epochs
            and 1 <= boots <= epochs
        ):
            return Seen(epochs, steady, first, last, stretches, longest, boots)
    raise Broken(f"{where} page {page} was seen in an impossible way: {row!r:.80}")


def _check_page(use: PageUse, seen: Mapping[str, Any], where: str) -> None:
    letters = [key for key in KIND_LETTERS.values() if key in use.seen]
    if not letters or len(use.seen) < len(seen):
        raise Broken(f"{where} was seen as no kind of {', '.join(_KEYS)}")
    both = {"x", "r"} <= use.seen.keys()
    whole = len(letters) == 1 or (both and len(letters) == 2)
    if (EITHER in use.seen) != both or (AS_ANYTHING in use.seen) == whole:
        raise Broken(f"{where} has xr or * where it should not, or has it not where it should")
    if len(use.seen) > 1:
        total = sum(use.seen[letter].epochs for letter in letters)
        if use.any.epochs > total or any(
            seen.epochs > use.any.epochs for seen in use.seen.values()
        ):
            raise Broken(f"{where} was seen in other epochs than its kinds add up to")


def _check_whole(profile: Profile) -> None:
    if len({(file.sha256, file.size) for file in profile.files}) < len(profile.files):
        raise Broken("a file's content stands twice")
    links = profile.links or ()
    if len({(link.path, link.target) for link in links}) < len(links):
        raise Broken("a link stands twice")
    if any(link.seen.epochs > profile.epochs for link in links):
        raise Broken("a link was followed in more epochs than there were")
    for i, file in enumerate(profile.files):
        epochs, steady = profile.epochs_of(file), profile.steady_of(file)
        for page, use in file.pages.items():
            if use.any.epochs > epochs or use.any.steady > steady:
                raise Broken(f"file {i} page {page} was seen in more epochs than there were")
        if any(use.epochs > epochs or use.steady > steady for use in file.mappings):
            raise Broken(f"file {i} has a mapping of more epochs than there were")
