# SPDX-License-Identifier: MIT
"""The boots of a target: their pages, epochs, phases and losses.

The events of a line come in, in order. Boots go out. Page ids are never resolved here, and a
hostile target cannot make memory grow past the limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from tinyprof.heat.losses import NO_LOSSES, Losses, LostEnds
from tinyprof.heat.page_heat import ANY, MAPPED, PageHeat, Sightings
from tinyprof.heat.told_files import ToldFile, ToldFiles
from tinyprof.heat.volume_heat import PHASES_MAX, Phase, VolumeHeat
from tinyprof.heat.volume_pages import OPEN_EPOCHS_MAX, PAGES_MAX, Room, VolumePages
from tinyprof.wire.frames import ConsoleText, CorruptFrame, Event, HostMark
from tinyprof.wire.messages import (
    EpochEnd,
    FilePart,
    Hello,
    Mappings,
    Mark,
    Message,
    Pages,
    Status,
    UnknownMessage,
    UnknownProtocol,
    is_reboot,
    joined_hello,
)
from tinyprof.wire.sequence import EARLY, Frame
from tinyprof.wire.source import other_source

__all__ = [
    "ANY",
    "MAPPED",
    "NO_LOSSES",
    "OPEN_EPOCHS_MAX",
    "PAGES_MAX",
    "PHASES_MAX",
    "VOLUMES_MAX",
    "Boot",
    "BootPages",
    "Losses",
    "PageHeat",
    "Phase",
    "Sightings",
    "ToldFile",
    "ToldFiles",
    "VolumeHeat",
    "VolumePages",
    "split_boots",
]

VOLUMES_MAX = 8
"""Volumes of one boot that are counted."""
UNKNOWN_TYPES_MAX = 16
"""Unknown message types that are listed."""


AVolume = TypeVar("AVolume", bound=VolumePages)


class BootOf(Generic[AVolume]):
    """One boot of the target. `new_volume` makes the counter of a volume's pages. `told`: the
    files of its file volume."""

    def __init__(self, new_volume: Callable[[Room], AVolume]) -> None:
        self._new_volume = new_volume
        self._room = Room()
        self.hello: Hello | None = None
        self.status: Status | None = None
        self.volumes: dict[int, AVolume] = {}
        self.told = ToldFiles()
        self.unknown_messages = 0
        self.unknown_types: set[int] = set()
        self.console_bytes = 0
        self.corrupt_bytes = 0
        self._marks: list[str] = []
        self._frames = self._corrupt = self._beyond_limits = 0
        self._lost_ends: LostEnds | None = None
        self._missing_before = self._unfinished_before = 0

    @property
    def losses(self) -> Losses:
        volumes = self.volumes.values()
        return Losses(
            self._frames,
            self._corrupt,
            sum(volume.missing for volume in volumes)
            + self._missing_before
            + self._missing_ends(),
            self.status.untraced if self.status else 0,
            self.status.write_errors if self.status else 0,
            self._beyond_limits
            + self.told.refused
            + sum(volume.beyond_limits for volume in volumes),
            (self.status.lost_events or 0) if self.status else 0,
        )

    def _missing_ends(self) -> int:
        return self._lost_ends.missing(self._unfinished()) if self._lost_ends else 0

    def _unfinished(self) -> int:
        records = sum(volume.unfinished_records for volume in self.volumes.values())
        return records - self._unfinished_before

    def _count_ends_anew(self, *, from_start: bool) -> None:
        """Begin to count epoch ends from zero, for another sender."""
        self._missing_before += self._missing_ends()
        self._unfinished_before += self._unfinished()
        self._lost_ends = LostEnds(from_start=from_start)

    def ends_before(self, event: Event) -> bool:
        """Whether the event belongs to another boot of the target.

        An agent that is started again goes on with the kernel's own epochs and page ids. Those of
        any other source are the agent's, and begin anew, so it counts as another boot.
        """
        if not isinstance(event, Frame) or not self.hello:
            return False
        if isinstance(event.message, Hello):
            anew = event.restarted and other_source(self.hello.source) is not None
            return anew or is_reboot(self.hello, event.message)
        return event.restarted

    def take(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, Frame):
            self._frames += event.lost
            if event.restarted or not self._lost_ends:
                # A further part of a recording opens with a hello of another number than 0.
                began = event.seq == 0 or (
                    event.seq < EARLY and not isinstance(event.message, Hello)
                )
                self._count_ends_anew(from_start=event.restarted or began)
            self._take_message(event.message)
            return
        match event:
            case ConsoleText(data):
                self.console_bytes += len(data)
            case HostMark(text):
                self._mark(text)
            case CorruptFrame(_, data, repeated):
                self.corrupt_bytes += len(data)
                # Before the first hello, the recording may have joined the line in the middle of a
                # frame.
                if self.hello and not repeated:
                    self._corrupt += 1

    def _take_message(self, message: Message) -> None:
        match message:
            case Pages():
                if volume := self._volume(message.volume):
                    volume.touch(message)
                else:
                    self._beyond_limits += len(message.page_ids)
            case EpochEnd():
                volume = self._volume(message.volume)
                if (volume is None or volume.end_epoch(message)) and self._lost_ends:
                    self._lost_ends.take(message)
            case Mappings():
                self._hold(message)
            case Mark():
                self._mark(message.text)
            case Hello():
                self.hello = joined_hello(self.hello, message)
            case Status():
                self.status = message
            case FilePart():
                self.told.take(message)
            case UnknownMessage() | UnknownProtocol():
                self._note_unknown(message)

    def _hold(self, message: Mappings) -> None:
        if volume := self._volume(message.volume):
            volume.hold(message)
        else:
            self._beyond_limits += len(message.held)

    def _note_unknown(self, message: UnknownMessage | UnknownProtocol) -> None:
        self.unknown_messages += 1
        if isinstance(message, UnknownMessage) and len(self.unknown_types) < UNKNOWN_TYPES_MAX:
            self.unknown_types.add(message.type)

    def _mark(self, name: str) -> None:
        self._marks = [*self._marks, name][-PHASES_MAX:]
        for volume in self.volumes.values():
            volume.mark(name)

    def _volume(self, index: int) -> AVolume | None:
        volume = self.volumes.get(index)
        if volume is None and len(self.volumes) < VOLUMES_MAX:
            volume = self.volumes[index] = self._new_volume(self._room)
            # A mark comes at once. The pages of a volume come when the line has room for them.
            for name in self._marks:
                volume.mark(name)
        return volume

    def finish(self) -> None:
        """No more events will come."""
        for volume in self.volumes.values():
            volume.finish()


class Boot(BootOf[VolumeHeat]):
    """A boot that knows in which epochs its pages were seen."""

    def __init__(self) -> None:
        super().__init__(VolumeHeat)


class BootPages(BootOf[VolumePages]):
    """A boot that knows only which pages were seen. It is quick enough for the fastest line."""

    def __init__(self) -> None:
        super().__init__(VolumePages)


def split_boots(events: Iterable[Event]) -> Iterator[Boot]:
    """Yield the boots of a line, each when it is over. Only one boot is in memory at a time."""
    boot = Boot()
    for event in events:
        if boot.ends_before(event):
            boot.finish()
            yield boot
            boot = Boot()
        boot.take(event)
    boot.finish()
    yield boot
