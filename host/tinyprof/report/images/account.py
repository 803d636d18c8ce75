# SPDX-License-Identifier: MIT
"""The account of an image that is compared with another: an image in, sizes out, and their text.

The text is a file of some kilobytes. It stands for the image in later comparisons (docs/ci.md).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from tinyprof import __version__
from tinyprof.cramfs.format import ImageError
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.cramfs.mapped import mapped_by_path
from tinyprof.cramfs.reading.measure import FileShare, measure_files
from tinyprof.cramfs.reading.reader import Image
from tinyprof.errors import TinyprofError
from tinyprof.json_text import Broken, fault_in, read_json, version_for
from tinyprof.plan.prediction import page_cache
from tinyprof.plan.value import candidates_in
from tinyprof.profile.model import Profile
from tinyprof.profile.temperature import Temperature, temperature
from tinyprof.profile.tprof import dump_profile
from tinyprof.rootfs.image_tree import tree_of_image
from tinyprof.rootfs.match import Match, match
from tinyprof.text import counted

FORMAT = 1
ACCOUNT_MAX = 64 << 20
"""Bytes of a saved account. An image may have a million names."""

NUMBER_MAX = 1 << 53

CAUSES = {
    "compressed": "compressed blocks",
    "in_place": "pages in place",
    "uncompressed": "pages stored as they are, not in place",
    "pointers": "block pointers",
    "names": "inodes and names",
    "rest": "superblock and padding",
}
"""The causes of an image's bytes, in words."""

_Value = TypeVar("_Value")


class AccountError(TinyprofError):
    """A saved account that cannot be read, or that cannot be compared."""


@dataclass(frozen=True, slots=True)
class UseAccount:
    """An image under a profile, on one kernel.

    - `profile`: a hash of the profile. Only accounts of one profile can be compared.
    - `page_cache`, `steady`: bytes, as plan.prediction has them.
    - `used`, `stale`: number of used pages, and of those that were not found in the image.
    - `hot`: for each path the number of hot pages, and of those that the kernel maps in place.
    """

    profile: str
    kernel: KernelModel
    page_cache: int
    steady: int
    used: int
    stale: int
    hot: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class ImageAccount:
    """The sizes of one image. `causes` has bytes by the names in CAUSES."""

    name: str
    size: int
    causes: Mapping[str, int]
    pages_in_place: int
    mapped: Mapping[KernelModel, int]
    files: Mapping[str, FileShare]
    use: UseAccount | None = None


def account_of(
    image: Image,
    name: str,
    profile: Profile | None = None,
    kernel: KernelModel = "patched",
    *,
    riscv_code: bool = False,
) -> ImageAccount:
    """The account of an image. `riscv_code`: see cramfs.kernel.maps_no_code().

    Raises ImageError for an image that cannot be read as a whole.
    """
    share, files = measure_files(image, riscv_code=riscv_code)
    if share.unreadable:
        unread = counted(share.unreadable, "file")
        raise ImageError(f"{unread} cannot be read", "tinyprof image check names them")
    size = image.superblock.size
    causes = {cause: getattr(share, cause) for cause in CAUSES if cause != "rest"}
    causes["rest"] = size - sum(causes.values())
    use = None
    if profile:
        use = _use(image, profile, kernel, mapped_by_path(image, kernel, riscv_code=riscv_code))
    return ImageAccount(name, size, causes, share.in_place_pages, dict(share.mapped), files, use)


def _use(
    image: Image, profile: Profile, kernel: KernelModel, mapped: Mapping[str, frozenset[int]]
) -> UseAccount:
    """The image under a profile. `mapped`: the pages that the kernel maps, by path."""
    found = match(profile, tree_of_image(image, profile))
    files = candidates_in(found, len, kernel)
    cache = page_cache(mapped, files, found.links, kernel)
    counts = found.counts
    used = counts.same + counts.by_place + counts.by_content + counts.by_symbol + counts.unmatched
    digest = hashlib.sha256(dump_profile(profile).encode("utf-8", "surrogateescape")).hexdigest()
    hot = _hot(found, mapped)
    return UseAccount(digest, kernel, cache.used, cache.steady, used, counts.unmatched, hot)


def _hot(found: Match, mapped: Mapping[str, frozenset[int]]) -> dict[str, tuple[int, int]]:
    hot: dict[str, tuple[int, int]] = {}
    for file in found.files:
        pages = {
            page
            for page, use in file.uses.items()
            if temperature(use, file.steady) is Temperature.HOT
        }
        if pages:
            path = file.node.path
            hot[path] = len(pages), len(pages & mapped.get(path, frozenset()))
    return hot


def dump_account(account: ImageAccount) -> str:
    """The text of an account."""
    files = {path: [it.size, it.stored, it.in_place] for path, it in account.files.items()}
    fields = {
        "format": FORMAT,
        "tinyprof": __version__,
        "name": account.name,
        "size": account.size,
        "causes": dict(account.causes),
        "pages_in_place": account.pages_in_place,
        "mapped": dict(account.mapped),
        "use": asdict(account.use) if account.use else None,
        "files": files,
    }
    return json.dumps(fields, separators=(",", ":")).replace('],"/', '],\n"/') + "\n"


def load_account(text: str) -> ImageAccount:
    """Read an account. Raises AccountError that names the fault."""
    try:
        fields = read_json(text, ACCOUNT_MAX)
        if not isinstance(fields, dict) or "format" not in fields or "causes" not in fields:
            raise Broken("it has no format, or no causes")
        if fields["format"] != FORMAT or type(fields["format"]) is not int:
            raise AccountError(
                f"an account of format {fields['format']!r:.20}, this reads {FORMAT}",
                f"use {version_for(fields)} or newer",
            )
        return _account(fields)
    except (ValueError, RecursionError) as error:
        raise AccountError(
            f"not an account of an image: {fault_in(error)}",
            "make one with 'tinyprof image diff IMAGE --save FILE'",
        ) from None


def _account(fields: Mapping[str, Any]) -> ImageAccount:
    files = {path: FileShare(*_numbers(path, it, 3)) for path, it in _object(fields, "files")}
    causes = {cause: _number(fields["causes"], cause) for cause in CAUSES}
    use = fields.get("use")
    return ImageAccount(
        _text(fields, "name"),
        _number(fields, "size"),
        causes,
        _number(fields, "pages_in_place"),
        {kernel: _number(fields.get("mapped"), kernel) for kernel in KERNEL_MODELS},
        files,
        _use_fields(use) if isinstance(use, dict) else None,
    )


def _use_fields(fields: Mapping[str, Any]) -> UseAccount:
    kernel = next((it for it in KERNEL_MODELS if it == fields.get("kernel")), None)
    if kernel is None:
        raise Broken("its kernel is none that this version knows")
    names = ("page_cache", "steady", "used", "stale")
    cache, steady, used, stale = (_number(fields, name) for name in names)
    hot = {}
    for path, it in _object(fields, "hot"):
        pages, mapped = _numbers(path, it, 2)
        hot[path] = pages, mapped
    return UseAccount(_text(fields, "profile"), kernel, cache, steady, used, stale, hot)


def _object(fields: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    found = fields.get(name)
    if not isinstance(found, dict):
        raise Broken(f"{name} is no object")
    return list(found.items())


def _text(fields: Mapping[str, Any], name: str) -> str:
    found = fields.get(name)
    if not isinstance(found, str):
        raise Broken(f"{name} is no text")
    return found


def _number(fields: Any, name: str) -> int:
    found = fields.get(name) if isinstance(fields, dict) else None
    if type(found) is not int or not 0 <= found < NUMBER_MAX:
        raise Broken(f"{name} is no number of bytes or pages")
    return found


def _numbers(path: str, found: Any, count: int) -> list[int]:
    if not isinstance(found, list) or len(found) != count:
        raise Broken(f"{path:.60} has no {count} numbers")
    return [_number({"it": item}, "it") for item in found]
