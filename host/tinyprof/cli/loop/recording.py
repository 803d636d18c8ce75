# SPDX-License-Identifier: MIT
"""The recording of the loop: a port in, a capture out, ended when enough has been seen."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import click

from tinyprof import __version__
from tinyprof.capture.format import Ending
from tinyprof.cli.loop.steady import SteadyWatch
from tinyprof.cli.opening import index_to_record
from tinyprof.cli.progress import Screen, ended_text, source_lines, totals_text
from tinyprof.cli.terminal import interruptible, until_signalled
from tinyprof.errors import TinyprofError
from tinyprof.record.recorder import Recording, StopAfter
from tinyprof.record.session import Request, check_outputs, open_session
from tinyprof.tables.ledger import ledger_lines
from tinyprof.text import shown
from tinyprof.wire.ports.serial_device import SerialSettings


@dataclass(frozen=True, slots=True)
class LoopRecording:
    """A finished recording, and the seconds of its last boot's steady state."""

    recording: Recording
    steady_seconds: float

    @property
    def has_losses(self) -> bool:
        return bool(self.recording.totals.losses)


@dataclass(frozen=True, slots=True)
class RecordingSource:
    """The source and the limits of a recording.

    - `image`: the image in flash; without it the files are those of the folder `rootfs`.
    - `steady`, `duration`: seconds after which it ends; None: it does not end by this.
    - `wait`: wait for a port that is not there, or that goes away (`record --wait`).
    - `is_endless`: the port does not end when the target has said all.
    """

    port: str
    baud: int
    capture: Path
    image: Path | None
    rootfs: Path
    steady: float | None
    duration: float | None
    wait: bool = False
    is_endless: bool = False

    @property
    def needs_epochs(self) -> bool:
        """Whether nothing but the steady state ends the recording."""
        return self.is_endless and self.duration is None


def record_until_steady(wanted: RecordingSource) -> LoopRecording:
    """Record until the steady state has been seen for long enough, the time is up, or the line
    ends. Raises TinyprofError where nothing of use was recorded, and KeyboardInterrupt where a
    signal ended it."""
    request = Request(
        wanted.port,
        wanted.capture,
        __version__,
        line=SerialSettings(wanted.baud),
        limits=StopAfter(wanted.duration),
        wait=wanted.wait,
    )
    with interruptible():
        check_outputs(request, None, [])
        request = replace(request, index=index_to_record(wanted.image, wanted.rootfs))
    watch = SteadyWatch(wanted.steady)

    def is_over() -> bool:
        return watch.is_enough() or (wanted.needs_epochs and watch.is_one_epoch)

    with open_session(request, _say) as session, until_signalled() as signalled:
        session.begin_files(signalled)
        screen = Screen(sys.stderr, None, time.monotonic)
        recording = session.record(screen, watch.take, leave=is_over)
        screen.finish()
        if wanted.needs_epochs and watch.is_one_epoch:
            # It ended within the first boot's first second, unless another boot came before.
            if recording.totals.boots <= 1:
                session.discard()
            raise _endless()
        if not recording.totals.bytes:
            session.discard()
        _show(screen, wanted.capture, recording, enough=watch.is_enough())
    return LoopRecording(_checked(recording), watch.seconds)


def _endless() -> TinyprofError:
    return TinyprofError(
        "this target has one epoch that never ends, so its steady state is never seen",
        "say with --duration when the recording ends; docs/sources.md and TINYPROF_EPOCH say what "
        "ends epochs",
    )


def _show(screen: Screen, capture: Path, recording: Recording, *, enough: bool) -> None:
    """Say what was recorded, what was lost, and why it ended."""
    totals = recording.totals
    screen.say(f"{shown(str(capture))}: {totals_text(totals)}")
    for line in (*source_lines(totals), *ledger_lines(totals)):
        screen.say(line)
    seen = "the recording ended: the steady state was seen for long enough"
    screen.say(f"tinyprof: {seen if enough else ended_text(recording)}")


def _checked(recording: Recording) -> Recording:
    """Raises the fault of a recording that is of no use."""
    if recording.fault:
        raise recording.fault
    if recording.ending is Ending.INTERRUPTED:
        raise KeyboardInterrupt
    if recording.totals.hello is None:
        raise TinyprofError(
            "no target was heard on the port",
            "check its rate with 'tinyprof record', and that init=/sbin/tinyprof-agent runs",
        )
    return recording


def _say(text: str) -> None:
    click.echo(f"tinyprof: {text}", err=True)
