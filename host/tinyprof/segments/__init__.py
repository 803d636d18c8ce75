# SPDX-License-Identifier: MIT
"""PT_LOADs split so that a stock kernel maps scattered runs of pages in place.

A file is described (elf), its longer program header table gets a place (place), its segments are
cut (split), and what came out is loaded on paper (loader) and held against what went in (check).
Bytes in, bytes out.
"""

from tinyprof.segments.elf import Elf, Reason, SplitError, read_elf
from tinyprof.segments.proof import Check, check, compare
from tinyprof.segments.split import (
    EHDR_SIZE,
    Run,
    Split,
    looks_split,
    original_of,
    runs_of,
    split,
    splittable,
    undo,
)

__all__ = [
    "EHDR_SIZE",
    "Check",
    "Elf",
    "Reason",
    "Run",
    "Split",
    "SplitError",
    "check",
    "compare",
    "looks_split",
    "original_of",
    "read_elf",
    "runs_of",
    "split",
    "splittable",
    "undo",
]
