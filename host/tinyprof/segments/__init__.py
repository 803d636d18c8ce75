# SPDX-License-Identifier: MIT
"""Programs whose segments are split, so that a stock kernel maps scattered runs of pages in place.

Bytes in, bytes out, in these steps:

1. `elf` describes a file.
2. `runs` chooses the runs of pages that are worth a mapping.
3. `table` finds a place for the longer program header table.
4. `split` cuts the segments.
5. `loader` maps the result on paper, and `proof` compares it with the original.

`split_tree` does all of it for the programs of a tree. docs/split-segments.md tells why.
"""

from tinyprof.segments.elf import Elf, Reason, SplitError, read_elf
from tinyprof.segments.proof import Proof, prove
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
    "Elf",
    "Proof",
    "Reason",
    "Run",
    "Split",
    "SplitError",
    "looks_split",
    "original_of",
    "prove",
    "read_elf",
    "runs_of",
    "split",
    "splittable",
    "undo",
]
