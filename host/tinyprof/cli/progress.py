# SPDX-License-Identifier: MIT
"""The words of a recording without live view: progress, console text, warnings, the summary.

On a terminal the progress line is redrawn in place. Elsewhere a line comes every ten seconds.
Nothing that the target sent reaches the terminal with a control sequence in it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from tinyprof.capture.format import ENDED
from tinyprof.capture.index import ImageIndex
from tinyprof.errors import TinyprofError
from tinyprof.heat.totals import Totals
from tinyprof.live.checklist import NO_TARGET, TEXT_ONLY
from tinyprof.live.recording import ConsoleFile
from tinyprof.record.recorder import Recording
from tinyprof.tables.ledger import ledger_fields, losses_text
from tinyprof.text import counted, path_word, shell_word, shown, shown_line
from tinyprof.wire.messages import Hello
from tinyprof.wire.source import other_source, source_fields, source_text

TERMINAL_SECONDS = 0.25
"""Seconds between two progress lines on a terminal."""

LOG_SECONDS = 10.0
"""Seconds between two progress lines elsewhere."""

NAMED_PARTS = 4
"""Files of one recording that the next command names one by one."""

CONSOLE_LINE_MAX = 1024
"""Bytes of console text without a line end that are kept back at most."""


class TextStream(Protocol):
    """Takes text."""

    def write(self, text: str, /) -> object:
        """Take text."""
        ...

    def flush(self) -> object:
        """Pass on what was taken."""
        ...


class Screen:
    """An Observer of a recording.

    `columns`: width of the terminal; None: `out` is no terminal. `console_file` takes the console
    text as it came. `clock` is in seconds.
    """

    def __init__(
        self,
        out: TextStream,
        columns: int | None,
        clock: Callable[[], float],
        console_file: ConsoleFile | None = None,
    ) -> None:
        self._out = out
        self._terminal = columns is not None
        self._columns = columns or 0
        self._clock = clock
        self._console_file = console_file
        self._console = b""
        self._console_at = clock()
        self._has_text = False
        self._drawn = False
        self._shown_at = clock()
        self._shown_records = 0

    def progress(self, totals: Callable[[], Totals]) -> None:
        if self._console and self._clock() - self._console_at >= TERMINAL_SECONDS:
            # A prompt has no end, and must be seen.
            self.finish()
        since = self._clock() - self._shown_at
        if since < (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            return
        now = totals()
        line = progress_text(
            now, (now.records - self._shown_records) / since, has_text=self._has_text
        )
        self._shown_at, self._shown_records = self._clock(), now.records
        if self._terminal:
            # A line that wraps could not be drawn over.
            self._write(f"\r{line[: self._columns - 1]}\x1b[K")
            self._drawn = True
        else:
            self._write(line + "\n")

    def console(self, text: bytes) -> None:
        self._keep(text)
        self._console_at, self._has_text = self._clock(), True
        *lines, self._console = (self._console + text).split(b"\n")
        for line in lines:
            self.say(shown_line(line))
        if len(self._console) > CONSOLE_LINE_MAX:
            self.finish()

    def _keep(self, text: bytes) -> None:
        try:
            if self._console_file:
                self._console_file.write(text)
        except OSError as error:
            self._console_file = None
            self.say(
                f"tinyprof: the console text is no longer kept: {error.strerror}; the "
                "capture has it too"
            )

    def warning(self, warning: TinyprofError) -> None:
        self.say(f"tinyprof: {shown(str(warning))}")

    def say(self, line: str) -> None:
        """Show a line of its own, above the progress line."""
        self._write(("\r\x1b[K" if self._drawn else "") + line + "\n")
        self._drawn = False

    def finish(self) -> None:
        """Show the rest of the console text, and leave the progress line."""
        rest, self._console = self._console, b""
        if rest:
            self.say(shown_line(rest))
        elif self._drawn:
            self._write("\n")
            self._drawn = False

    def _write(self, text: str) -> None:
        # If nobody reads any more, the recording still goes on.
        with contextlib.suppress(OSError):
            self._out.write(text)
            self._out.flush()


def progress_text(totals: Totals, rate: float, *, has_text: bool = False) -> str:
    """Return the progress line. `rate`: records a second since the last one. `has_text`: the
    target has printed something."""
    if totals.away:
        return f"{totals.seconds:6.1f} s THE PORT IS AWAY: plug it in again; still waiting for it"
    if totals.hello is None and not totals.records:
        state = TEXT_ONLY if has_text else NO_TARGET
        return f"{totals.seconds:6.1f} s {state}: {counted(totals.bytes, 'byte')} arrived"
    return (
        f"{totals.seconds:6.1f} s {rate:7.0f} records/s {counted(totals.records, 'record')} "
        f"{counted(totals.pages, 'page')} {counted(totals.epochs, 'epoch')}, "
        f"lost: {losses_text(totals.losses)}"
    )


def ended_text(recording: Recording) -> str:
    """Return why a recording ended, and for how long the target had been silent by then."""
    ending, silent_ms = recording.ending, recording.totals.silent_ms
    why = ENDED[ending] if ending is not None else str(recording.fault or "unknown")
    silence = (
        f"; the target had sent nothing for {silent_ms / 1000:.0f} s, so nobody knows what it "
        "recorded since"
        if silent_ms
        else ""
    )
    return f"the recording ended: {shown(why)}{silence}"


def kept_text(totals: Totals) -> str:
    """The contents of a capture without an agent. They may tell why, so they are kept."""
    text = totals.console_bytes
    of_text = f"{counted(text, 'byte')} of them text" if text else "none of them text"
    return (
        f"the capture keeps {counted(totals.bytes, 'byte')}, {of_text}. Remove it, or name "
        "another file with -o, to record again"
    )


def next_commands(paths: Sequence[Path], index: ImageIndex | None, totals: Totals) -> list[str]:
    """The commands that work for a recording of these files, each as a shell takes it."""
    first, *others = paths
    named = [path_word(path) for path in (first, *others)]
    if len(named) > NAMED_PARTS:
        stem = path_word(first.with_name(first.stem))
        pattern = f"{stem}-*{shell_word(first.suffix) if first.suffix else ''}"
        named = [named[0], pattern]
    files, hello = " ".join(named), totals.hello
    if hello is None:
        return [f"tinyprof capture cat {named[0]}"]
    known = index and any(volume.fsid == index.fsid for volume in hello.volumes)
    report = f"tinyprof report {files}" + ("" if known else " --image IMAGE")
    return [f"tinyprof view {files}", report]


def totals_text(totals: Totals) -> str:
    boots = f" and {counted(totals.boots, 'boot')}" if totals.boots > 1 else ""
    late = (
        ", what its first epoch had before this recording included" if totals.joined_late else ""
    )
    cost = f" ({per_record:.2f} a record)" if (per_record := _bytes_per_record(totals)) else ""
    return (
        f"{counted(totals.records, 'record')} of {counted(totals.pages, 'page')} in "
        f"{counted(totals.epochs, 'epoch')}{boots}, {counted(totals.bytes, 'byte')}{cost}; lost: "
        f"{losses_text(totals.losses) if totals.hello else 'unknown'}"
        + (late if totals.losses.records else "")
    )


def source_lines(totals: Totals) -> Iterator[str]:
    """A line for what saw the touches, where it was not the kernel's own part."""
    if source := other_source(totals.hello.source if totals.hello else None):
        yield f"  recorded by {source_text(source)}"
    if totals.files_told:
        yield f"  {counted(totals.files_told, 'file')} of other file systems than CramFS told"


def _bytes_per_record(totals: Totals) -> float | None:
    """All frames of whatever type, without console text and garbage, over the records they
    brought."""
    framed = totals.bytes - totals.console_bytes - totals.corrupt_bytes
    return round(framed / totals.records, 3) if totals.records else None


def summary_fields(
    recording: Recording,
    output: Path | None,
    parts: int,
    port: str,
    baud: int,
    image_fsid: str | None,
) -> dict[str, Any]:
    """The fields of `record --json`. `output` None: nothing arrived, so there is no capture."""
    totals, ending = recording.totals, recording.ending
    return {
        "capture": str(output) if output else None,
        "parts": parts,
        "port": port,
        "baud": baud,
        "image": image_fsid,
        "ended": ending.name.lower() if ending is not None else None,
        "error": str(recording.fault) if recording.fault else None,
        "seconds": round(totals.seconds, 3),
        "runs": totals.boots,
        "records": totals.records,
        "pages": totals.pages,
        "epochs": totals.epochs,
        "bytes": totals.bytes,
        "console_bytes": totals.console_bytes,
        "corrupt_bytes": totals.corrupt_bytes,
        "bytes_per_record": _bytes_per_record(totals),
        "unknown_messages": totals.unknown_messages,
        "joined_late": totals.joined_late,
        "lossless": totals.hello is not None and not totals.losses,
        "lost": asdict(totals.losses),
        **ledger_fields(totals),
        "files_told": totals.files_told,
        "hello": _hello_fields(totals.hello) if totals.hello else None,
    }


def _hello_fields(hello: Hello) -> dict[str, Any]:
    volumes = [
        {
            "volume": volume.index,
            "fsid": str(volume.fsid),
            "size": volume.size,
            "name": volume.name,
            "recording": volume.recording,
            "files": volume.is_files,
        }
        for volume in hello.volumes
    ]
    return {
        "protocol": hello.protocol,
        "agent": hello.agent,
        "kernel": hello.kernel,
        "arch": hello.arch,
        "page_size": hello.page_size,
        "boot_id": hello.boot_id.hex(),
        "epoch_ms": hello.epoch_ms,
        "tracer": hello.tracer,
        "source": source_fields(hello.source) if hello.source else None,
        "volumes": volumes,
    }
