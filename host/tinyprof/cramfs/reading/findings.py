# SPDX-License-Identifier: MIT
"""The result of a check: rules, findings, and the report that has them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tinyprof.cramfs.format import ImageError

FINDINGS_MAX = 10_000
"""Findings that a report lists. More of them are only counted."""


class Rule(StrEnum):
    """The rules that an image can break. docs/images.md says what a kernel does in each case."""

    SUPERBLOCK = "superblock"
    CRC = "crc"
    ROOT = "root"
    COUNT = "count"
    DIRECTORY = "directory"
    ORDER = "order"
    TWICE = "twice"
    IDENTITY = "identity"
    END = "end"
    SYMLINK = "symlink"
    BLOCKS = "blocks"
    BLOCK_SIZE = "block-size"
    FLAGS = "flags"
    DATA = "data"
    TAIL = "tail"
    OVERLAP = "overlap"
    LAST_PAGE = "last-page"
    SHARED_PAGE = "shared-page"
    UNMAPPED = "unmapped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: the rule, the path, the byte of the image, and a sentence.

    `error`: the kernel fails or misreads. Otherwise the finding is a warning.
    """

    rule: Rule
    path: str
    at: int
    message: str
    error: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """The findings in the order in which they were met, and the numbers of things looked at.

    `unlisted` counts findings beyond FINDINGS_MAX, and `unlisted_errors` the errors among them.
    `in_place` counts pages in place, and `mapped` those that the kernel maps; an image with errors
    has neither.
    """

    findings: tuple[Finding, ...]
    entries: int = 0
    contents: int = 0
    pages: int = 0
    unlisted: int = 0
    unlisted_errors: int = 0
    in_place: int = 0
    mapped: int = 0

    @property
    def errors(self) -> int:
        """The number of errors, listed or not."""
        return sum(finding.error for finding in self.findings) + self.unlisted_errors

    @property
    def warnings(self) -> int:
        """The number of warnings, listed or not."""
        return len(self.findings) + self.unlisted - self.errors


def no_image(error: ImageError, offset: int) -> Report:
    """The report on bytes that are no image at all."""
    return Report((Finding(Rule.SUPERBLOCK, "", offset, str(error)),))
