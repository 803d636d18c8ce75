# SPDX-License-Identifier: MIT
"""The numbers of a line so far: records, pages, epochs, and losses by cause.

Events come in, in order. `Totals` go out at any time. The recorder and every reader of a capture
count by this module, so both come to the same figures. Memory is bounded, whatever a target says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice

from tinyprof.heat.boots import VOLUMES_MAX, BootPages
from tinyprof.heat.losses import NO_LOSSES, Losses
from tinyprof.heat.told_files import ToldFiles
from tinyprof.heat.volume_pages import PAGES_MAX
from tinyprof.wire.frames import ConsoleText, CorruptFrame, Event
from tinyprof.wire.messages import EpochEnd, Hello, HostMessage
from tinyprof.wire.sequence import Frame, FrameSequence

MISSING_EPOCHS_MAX = 256
"""Epochs whose missing records are listed one by one. The sum counts all epochs."""


@dataclass(frozen=True, slots=True)
class MissingRecords:
    """The missing records of one epoch. Boots count from 1."""

    boot: int
    volume: int
    epoch: int
    records: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What was seen so far, over all boots, in `seconds`.

    `pages` are distinct ones, `epochs` those that ended, of the volume with the most.
    `joined_late`: the first frame was not the target's first, so the records that its epoch had
    before count as missing. `repeats`: the target repeats what it has no acknowledgement for. Then
    a corrupt stretch is no loss, and counts in `corrupt_repeated`. `duplicates`: frames that came
    more than once, each time but the first. `waited_ms`: how long the target kept records back for
    want of acknowledgements. `gaps`: how often the port was away, and `away` whether it is so now.
    `overruns`: bytes that the host's own port says it had no room for. `files_told`: files of the
    file volume.
    """

    seconds: float = 0.0
    hello: Hello | None = None
    boots: int = 0
    bytes: int = 0
    console_bytes: int = 0
    corrupt_bytes: int = 0
    records: int = 0
    pages: int = 0
    epochs: int = 0
    unknown_messages: int = 0
    joined_late: bool = False
    losses: Losses = NO_LOSSES
    missing: tuple[MissingRecords, ...] = ()
    repeats: bool = False
    corrupt_repeated: int = 0
    duplicates: int = 0
    waited_ms: int = 0
    gaps: int = 0
    overruns: int = 0
    away: bool = False
    silent_ms: int = 0
    files_told: int = 0


class Tally:
    """Counts one line. Its owner sets `gaps`, `away`, `overruns`, `bytes` and `silent_ms`."""

    def __init__(self) -> None:
        self.bytes = 0
        self.gaps = 0
        self.away = False
        self.overruns = 0
        self.silent_ms = 0
        self._joined_late: bool | None = None
        self._boot = BootPages()
        self._before = Totals()
        self._pages_before: dict[int, set[int]] = {}
        self._missing: list[MissingRecords] = []
        self._corrupt_repeated = 0

    @property
    def epochs(self) -> int:
        """Epochs that ended."""
        return self._before.epochs + _ended(self._boot)

    @property
    def told(self) -> ToldFiles:
        """The files that the target has told since it booted."""
        return self._boot.told

    @property
    def in_epoch(self) -> bool:
        """Whether pages have come for an epoch that has not ended."""
        return any(volume.in_epoch for volume in self._boot.volumes.values())

    def take(self, event: Event) -> bool:
        """Count one event. Return whether the target has rebooted before it."""
        rebooted = self._boot.ends_before(event)
        if rebooted:
            self._end_boot()
        if isinstance(event, Frame):
            self._take_frame(event)
            return rebooted
        self._boot.take(event)
        if isinstance(event, CorruptFrame) and event.repeated:
            self._corrupt_repeated += 1
        return rebooted

    def _take_frame(self, frame: Frame) -> None:
        if self._joined_late is None and not isinstance(frame.message, HostMessage):
            self._joined_late = frame.seq > 0
        if not isinstance(frame.message, EpochEnd):
            self._boot.take(frame)
            return
        end = frame.message
        before = self._missing_of(end.volume)
        self._boot.take(frame)
        more = self._missing_of(end.volume) - before
        if more and len(self._missing) < MISSING_EPOCHS_MAX:
            self._missing.append(
                MissingRecords(self._before.boots + 1, end.volume, end.epoch, more)
            )

    def _missing_of(self, volume: int) -> int:
        known = self._boot.volumes.get(volume)
        return known.missing if known else 0

    def _end_boot(self) -> None:
        self._boot.finish()
        self._before = self.totals(0.0)
        for index, volume in self._boot.volumes.items():
            if index not in self._pages_before and len(self._pages_before) >= VOLUMES_MAX:
                continue
            known = self._pages_before.setdefault(index, set())
            known.update(islice(volume.page_ids, max(0, PAGES_MAX - self._known_pages())))
        self._boot = BootPages()

    def _known_pages(self) -> int:
        return sum(len(pages) for pages in self._pages_before.values())

    def totals(self, seconds: float, sequence: FrameSequence | None = None) -> Totals:
        """Return the totals after `seconds`. `sequence` is that of the line's frames."""
        boot, before = self._boot, self._before
        volumes = boot.volumes.items()
        known = self._known_pages()
        return Totals(
            seconds=seconds,
            hello=boot.hello or before.hello,
            boots=before.boots + 1,
            bytes=self.bytes,
            console_bytes=before.console_bytes + boot.console_bytes,
            corrupt_bytes=before.corrupt_bytes + boot.corrupt_bytes,
            records=before.records + sum(volume.records for _, volume in volumes),
            pages=known
            + sum(v.distinct_pages(self._pages_before.get(i, set())) for i, v in volumes),
            epochs=self.epochs,
            unknown_messages=before.unknown_messages + boot.unknown_messages,
            joined_late=bool(self._joined_late),
            losses=before.losses + boot.losses,
            missing=tuple(self._missing),
            repeats=sequence is not None and sequence.repeats,
            corrupt_repeated=self._corrupt_repeated,
            duplicates=sequence.duplicates if sequence else 0,
            waited_ms=before.waited_ms + (boot.status.waited_ms if boot.status else 0),
            gaps=self.gaps,
            overruns=self.overruns,
            away=self.away,
            silent_ms=self.silent_ms,
            files_told=before.files_told + len(boot.told),
        )


def _ended(boot: BootPages) -> int:
    return max((volume.ended for volume in boot.volumes.values()), default=0)


def console_text(events: Iterable[Event]) -> bytes:
    """Return the text that the target printed."""
    return b"".join(event.data for event in events if isinstance(event, ConsoleText))


def loss_counts(totals: Totals) -> dict[str, int]:
    """Return counts by cause. What no cause counts was not lost."""
    return asdict(totals.losses) | {
        "corrupt_repeated": totals.corrupt_repeated,
        "duplicates": totals.duplicates,
        "waited_ms": totals.waited_ms,
        "gaps": totals.gaps,
        "overruns": totals.overruns,
        "unknown_messages": totals.unknown_messages,
        **({"silent_ms": totals.silent_ms} if totals.silent_ms else {}),
    }
