# SPDX-License-Identifier: MIT
"""The changes from one image to another: two accounts in, bytes by cause, file and package out."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from tinyprof.errors import TinyprofError
from tinyprof.report.images.account import AccountError, ImageAccount, UseAccount

PACKAGES_MAX = 64 << 20
"""Bytes of a table of packages."""

UNKNOWN_PACKAGE = "unknown"
"""The package of a file that the table does not have, as Buildroot calls it."""


class PackagesError(TinyprofError):
    """A table of packages that cannot be read."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """The bytes of one path in both images, and its pages in place. None: it is not there."""

    path: str
    before: int | None
    after: int | None
    in_place: int

    @property
    def growth(self) -> int:
        """Bytes that the path takes more."""
        return (self.after or 0) - (self.before or 0)

    @property
    def kind(self) -> str:
        """The word for the change."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "grown" if self.growth > 0 else "shrunk" if self.growth else "changed"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two images.

    - `changes`: the paths that differ, those with the most bytes of difference first.
    - `packages`: bytes of each package in both images; empty without a table of packages.
    - `lost`: number of hot pages that were mapped in place and are no more, by path.
    """

    old: ImageAccount
    new: ImageAccount
    changes: tuple[FileChange, ...]
    packages: Mapping[str, tuple[int, int]]
    lost: Mapping[str, int]

    @property
    def uses(self) -> tuple[UseAccount, UseAccount] | None:
        """Both images under the profile, if both have one."""
        return (self.old.use, self.new.use) if self.old.use and self.new.use else None


def compare(
    old: ImageAccount, new: ImageAccount, package_of: Mapping[str, str] | None = None
) -> Comparison:
    """Compare two accounts. Raises AccountError if they are of different profiles or kernels."""
    _refuse_others(old.use, new.use)
    changes = [_change(path, old, new) for path in old.files.keys() | new.files.keys()]
    changes = [it for it in changes if it.growth or it.in_place or it.kind != "changed"]
    changes.sort(key=lambda it: (-abs(it.growth), -abs(it.in_place), it.path))
    packages = _by_package(old, new, package_of) if package_of is not None else {}
    lost: dict[str, int] = {}
    if old.use and new.use:
        for path, (_, mapped) in old.use.hot.items():
            fewer = mapped - new.use.hot.get(path, (0, 0))[1]
            if fewer > 0:
                lost[path] = fewer
    return Comparison(old, new, tuple(changes), packages, lost)


def _refuse_others(old: UseAccount | None, new: UseAccount | None) -> None:
    if not old or not new:
        return
    for what, before, after in (
        ("profile", old.profile, new.profile),
        ("kernel", old.kernel, new.kernel),
    ):
        if before != after:
            raise AccountError(
                f"the account that was saved is of another {what}",
                f"save it again, with the same --{what}",
            )


def _change(path: str, old: ImageAccount, new: ImageAccount) -> FileChange:
    before, after = old.files.get(path), new.files.get(path)
    in_place = (after.in_place if after else 0) - (before.in_place if before else 0)
    stored = before.stored if before else None, after.stored if after else None
    return FileChange(path, *stored, in_place)


def _by_package(
    old: ImageAccount, new: ImageAccount, package_of: Mapping[str, str]
) -> dict[str, tuple[int, int]]:
    found: dict[str, list[int]] = {}
    for at, account in enumerate((old, new)):
        for path, share in account.files.items():
            package = package_of.get(path, UNKNOWN_PACKAGE)
            found.setdefault(package, [0, 0])[at] += share.stored
    return {package: (before, after) for package, (before, after) in sorted(found.items())}


def load_packages(text: str) -> dict[str, str]:
    """The package of each path, from Buildroot's file-size-stats.csv: two columns or more, the
    path without its first slash and the name of the package; the first row has the heads.

    Raises PackagesError.
    """
    found: dict[str, str] = {}
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text), strict=True), 1):
            if len(row) < 2:
                raise PackagesError(f"line {number} has no two columns: file and package")
            if number > 1:
                found["/" + row[0].lstrip("/")] = row[1]
    except csv.Error as error:
        raise PackagesError(f"no table of packages: {error}") from None
    if not found:
        raise PackagesError(
            "the table of packages is empty", "make it with 'make graph-size' of Buildroot"
        )
    return found
