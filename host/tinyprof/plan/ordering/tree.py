# SPDX-License-Identifier: MIT
"""The link orders of the programs of a tree: a profile's files in the tree in, an order for each
program out.

1. A program that has not changed since the recording is judged by its own symbols.
2. A program that has changed is judged by the symbols that the profile keeps of the recorded build
   (`tinyprof profile --symbols`). Their names are then looked up in the present build. So the
   recording link serves the programs that are shipped.
3. Without such symbols, its used pages are those that were found again in the present build.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tinyprof.cramfs.format import FILE_MAX
from tinyprof.errors import TinyprofError
from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.ordering.decide import Decision, decide
from tinyprof.plan.ordering.order import OrderedName, carried, entries_of
from tinyprof.plan.ordering.program import Function, Piece, Program, build_id, read_program
from tinyprof.profile.model import FileUse, Profile
from tinyprof.profile.temperature import DEFAULT_THRESHOLDS, Thresholds
from tinyprof.rootfs.landmarks import LANDMARK
from tinyprof.rootfs.match import FoundFile, Match, without_digits

DebugOf = Callable[[str, str], bytes]
"""Reads the debug file of a path and a build id; empty where there is none."""


@dataclass(frozen=True, slots=True)
class LinkOrder:
    """The order of one program.

    - `gone`: used names that its present build does not have.
    - `carried`: its build has changed since the recording.
    - `program`: its present functions.
    - `recording_size`: bytes of its recording link, about.
    """

    path: str
    program: Program
    decision: Decision
    entries: tuple[OrderedName, ...]
    recording_size: int
    gone: tuple[str, ...] = ()
    carried: bool = False

    @property
    def is_too_large_to_record(self) -> bool:
        """Whether CramFS could not hold its recording link."""
        return self.recording_size > FILE_MAX


@dataclass(frozen=True, slots=True)
class Refused:
    """A program without an order, and the reason. `nameless`: it has no symbols, as most programs
    on a device."""

    path: str
    reason: str
    nameless: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """What gives names beside the programs themselves: debug files, and linker maps by path."""

    debug_of: DebugOf = lambda path, build: b""
    maps: Mapping[str, Sequence[Piece]] = field(default_factory=dict)


def link_orders(
    profile: Profile,
    found: Match,
    sources: Sources | None = None,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> Iterator[LinkOrder | Refused]:
    """An order for each program with used pages of code, or the reason why it has none."""
    sources = sources or Sources()
    before = {file.path: file for file in profile.files}
    alike = {without_digits(file.path): file for file in profile.files}
    for file in found.files:
        if not any(use.mapped for use in file.uses.values()):
            continue
        path = file.node.path
        old = before.get(path) or alike.get(without_digits(path))
        try:
            made = _order_of(profile, file, old, sources, thresholds)
        except TinyprofError as error:
            made = Refused(path, str(error))
        if made:
            yield made


def _order_of(
    profile: Profile,
    file: FoundFile,
    old: FileUse | None,
    sources: Sources,
    thresholds: Thresholds,
) -> LinkOrder | Refused | None:
    path, data = file.node.path, file.node.content()
    debug = sources.debug_of(path, build_id(data))
    program = read_program(data, debug, sources.maps.get(path, ()))
    if program is None or not program.code:
        return None
    if not any(it.code for it in program.functions):
        reason = "no symbols; give its debug file with --debug, or its --map"
        return Refused(path, reason, nameless=True)
    is_changed = not file.counts.same
    recorded = _recorded(old, program) if is_changed and old else None
    if recorded is None or old is None:
        decision = decide(program, file.uses, file.steady, thresholds)
        entries = entries_of(program, decision.judgements)
        size = recording_size(program, decision)
        return LinkOrder(path, program, decision, tuple(entries), size, carried=is_changed)
    decision = decide(recorded, old.pages, profile.steady_of(old), thresholds)
    entries, gone = carried(entries_of(recorded, decision.judgements), program)
    size = recording_size(program, decision)
    return LinkOrder(path, program, decision, tuple(entries), size, tuple(gone), carried=True)


def _recorded(old: FileUse, program: Program) -> Program | None:
    """The functions of the recorded build, of which the profile keeps those near used pages."""
    data = {it.name for it in program.functions if not it.code}
    functions = sorted(
        Function(it.offset, it.size, it.name, it.name not in data)
        for it in old.symbols
        if not it.name.startswith(LANDMARK) and it.size and it.offset + it.size <= old.size
    )
    return Program(old.size, tuple(functions), ((0, old.size),)) if functions else None


def recording_size(program: Program, decision: Decision) -> int:
    """Bytes of a program when each of its functions begins a page, about."""
    if decision.recording_link:
        return program.size
    places = {(it.offset, it.size) for it in program.functions if it.code}
    return program.size + sum(-size % PAGE_SIZE for _, size in places)
