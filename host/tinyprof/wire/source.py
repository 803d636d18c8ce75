# SPDX-License-Identifier: MIT
"""What saw the touches of a target: the kernel's own part, or one of the sources that a stock
kernel has; and in words, what such a source cannot see.

The element `source` of a hello has these numbers (docs/wire-format.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tinyprof.pages import Kind

KERNEL_PART, PAGE_FAULTS, RESIDENCY, MAPPINGS, COUNTERS = 0, 1, 2, 3, 4
"""Values of `TouchSource.tracer`. No agent sends the last: program counters are imported."""

SAMPLED = 4
"""Value of `TouchSource.rearm`: program counters are sampled all the time."""

ALONE = 12
"""Value of `TouchSource.around`: the kernel maps no page but the one that faulted."""

ALL_KINDS = sum(1 << kind for kind in Kind)
"""Value of `TouchSource.kinds`: the source tells every kind."""

_LIMIT = 1 << 32
"""The numbers of a source are below this number: the target tells them in 32 bits."""

_LETTERS = "xrwf"
"""Letters of the kinds, in the order of `Kind`, as in reports."""

_NAMES = {
    KERNEL_PART: "the kernel's own part",
    PAGE_FAULTS: "page-fault events",
    RESIDENCY: "residency checks (mincore)",
    MAPPINGS: "mappings in /proc",
    COUNTERS: "program counters",
}


@dataclass(frozen=True, slots=True)
class TouchSource:
    """What saw the touches.

    - `tracer`: KERNEL_PART, PAGE_FAULTS, RESIDENCY, MAPPINGS, COUNTERS, or a number of a
      later agent.
    - `rearm`: how a page is seen again in the next epoch. 0: not at all, so everything is one long
      epoch; 1: it faults again (`clear_refs`); 2: its accessed flag is read back; 3: its mapping
      is looked at again; 4: program counters are sampled again.
    - `around`: the kernel maps pages around a fault in windows of 2^`around` bytes; 0: unknown.
    - `kinds`: the kinds that can be told, a bit each (`Kind`).
    - `late`: programs ran before the agent, and their touches stand in the first epoch.
    """

    tracer: int
    rearm: int
    around: int
    kinds: int
    late: bool

    @property
    def is_kernel_part(self) -> bool:
        """Whether the kernel's own part saw the touches, which is exact."""
        return self.tracer == KERNEL_PART

    @property
    def is_one_epoch(self) -> bool:
        """Whether no page is ever seen again, so that classes cannot be told."""
        return not self.is_kernel_part and self.rearm == 0

    @property
    def sees_mappings(self) -> bool:
        """Whether it sees whole mappings and no single page."""
        return self.tracer == MAPPINGS

    @property
    def sees_code_in_place(self) -> bool:
        """Whether it sees code that is executed in place, and nothing else."""
        return self.tracer == COUNTERS

    @property
    def misses_pages_in_place(self) -> bool:
        """Whether it does not see the pages that the kernel maps from flash: they never fault, and
        are in no page cache."""
        return not (self.is_kernel_part or self.sees_mappings or self.sees_code_in_place)

    @property
    def name(self) -> str:
        """The source in two or three words."""
        return _NAMES.get(self.tracer, f"source {self.tracer}")

    @property
    def letters(self) -> str:
        """The letters of "xrwf" for the kinds that it can tell."""
        return "".join(_LETTERS[kind] for kind in Kind if self.tells(kind))

    def tells(self, kind: Kind) -> bool:
        """Whether it can tell this kind."""
        return bool(self.kinds >> kind & 1)


def other_source(source: TouchSource | None) -> TouchSource | None:
    """The source, if it is not the kernel's own part; else None."""
    return None if source is None or source.is_kernel_part else source


def blind_spots(source: TouchSource) -> Iterator[str]:
    """What a source cannot see or tell, a phrase for each."""
    if not source.kinds:
        yield "kinds are not told, so that a mapped page and one that read() used look the same"
    elif source.sees_code_in_place:
        yield "only code that is executed in place is seen"
        yield "pages that are only read, and pages that are not in place, are not seen"
    else:
        yield from _unseen_kinds(source)
    if source.is_one_epoch:
        yield "no page is seen twice, so all is one long epoch and hot pages cannot be told"
    elif source.around > ALONE:
        yield (
            f"the kernel maps pages around a fault ({_size(source.around)} at once), so an epoch "
            "misses some"
        )
    elif not source.around and source.rearm:
        yield "if the kernel maps pages around a fault, an epoch misses some: nobody knows"
    if source.sees_mappings:
        yield "a page counts as used while it is mapped"
        yield "a program that ran between two looks is not seen"
    if source.late:
        yield "programs ran before the agent, and their pages stand in the first epoch"


def _unseen_kinds(source: TouchSource) -> Iterator[str]:
    if not source.tells(Kind.FILE):
        yield "read() is not seen"
    if not source.tells(Kind.WRITE):
        yield "private copies for writes are not seen"
    mapped = source.tells(Kind.EXEC) + source.tells(Kind.READ)
    if mapped == 1:
        yield "executable mappings are not told from others"
    elif not mapped:
        yield "touches of mappings are not seen"


def _size(around: int) -> str:
    size = 1 << min(around, 40)
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def source_text(source: TouchSource) -> str:
    """The source and what it cannot see, in a line."""
    return "; ".join([source.name, *blind_spots(source)])


def source_fields(source: TouchSource) -> dict[str, Any]:
    """The source as JSON has it, in profiles and reports."""
    return {
        "tracer": source.tracer,
        "rearm": source.rearm,
        "around": source.around,
        "kinds": source.letters,
        "late": source.late,
    }


def source_of(fields: Any) -> TouchSource | None:
    """The source of such fields, which anybody may have edited. None: they are none of a source
    other than the kernel's part."""
    if not isinstance(fields, dict):
        return None
    numbers = [fields.get(name) for name in ("tracer", "rearm", "around")]
    tracer, rearm, around = (
        number if type(number) is int and 0 <= number < _LIMIT else -1 for number in numbers
    )
    kinds, late = fields.get("kinds"), fields.get("late")
    if tracer < 1 or rearm < 0 or around < 0 or type(kinds) is not str or type(late) is not bool:
        return None
    told = sum(1 << kind for kind in Kind if _LETTERS[kind] in kinds)
    source = TouchSource(tracer, rearm, around, told, late)
    return source if source.letters == kinds else None
