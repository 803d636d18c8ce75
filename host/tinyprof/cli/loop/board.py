# SPDX-License-Identifier: MIT
"""Boots images on the reference board: an image and a workload in, the figures that the guest
reports out."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from tinyprof.cramfs.kernel import KernelModel
from tinyprof.errors import TinyprofError
from tinyprof.text import shown

AGENT = "sbin/tinyprof-agent"
"""The agent's path in a root filesystem."""

WORKLOAD_MAX = 400
"""Characters of a workload's command. The kernel's command line holds 1,024, our own included."""

SETTLE_SECONDS = 5.0
"""Seconds that a guest may take to reboot after its line has ended."""

LINE_MAX = 4096
"""Characters of a line that the board says."""

_MEMINFO, _VMSTAT = "Cached:|Shmem:|MemFree:", "pgfault|pgmajfault"
_REPORT = (
    "; ".join(
        f"while read n v r; do case $n in {names}) echo report ${{n%:}} $v;; esac; done < {path}"
        for names, path in ((_MEMINFO, "/proc/meminfo"), (_VMSTAT, "/proc/vmstat"))
    )
    + "; read u r < /proc/uptime; echo report uptime $u; echo report workload done"
)
"""Shell words that print what the reference root filesystem's own workload prints at its end."""

_REPORTED = re.compile(rb"^report (\w{1,32}) ([\d.]{1,20}|done)\r?$", re.MULTILINE)
REPORT_MAX = 1 << 16
"""Bytes at the end of a console among which the report is sought."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one boot: bytes, KiB, counts, and seconds of guest time."""

    image: str
    kernel: KernelModel
    image_bytes: int
    page_cache_kib: int
    major_faults: int
    faults: int
    guest_seconds: float


@dataclass(frozen=True, slots=True)
class BoardCommand:
    """The reference board: its program, more words for `board run`, more words for the kernel's
    command line, and the command that is the workload; without one, the guest's own init is."""

    program: Path
    words: tuple[str, ...] = ()
    append: str = ""
    workload: str = ""

    @contextlib.contextmanager
    def recorded(self, image: Path, console: Path) -> Iterator[str]:
        """Boot an image with the agent as init, and give the port that the agent writes to.

        Raises TinyprofError where the board fails. A guest that runs on when the recording has
        ended is ended.
        """
        words = ["--serial", "pty", *self._append("cramfs.tinyprof=1", agent=True)]
        with self._running(image, words, console) as running:
            assert running.stderr
            said = ""
            while "line is" not in said:
                if not (line := running.stderr.readline(LINE_MAX)):
                    running.wait()
                    raise self._failed(running, said, console)
                said = line
            yield said.split()[-1]
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(SETTLE_SECONDS)
            if running.poll():
                raise self._failed(running, running.stderr.read(), console)

    def measured(self, image: Path, kernel: KernelModel, console: Path) -> Measured:
        """Boot an image until the guest reboots. Raises TinyprofError where it does not, or where
        it reports no figures."""
        words = [*self._append("", agent=False), *(["--stock"] if kernel != "patched" else [])]
        with self._running(image, words, console) as running:
            _, said = running.communicate()
        if running.returncode:
            raise self._failed(running, said, console)
        found = dict(_REPORTED.findall(_end_of(console)))
        return _measured(image, kernel, found, console)

    def _append(self, recording: str, *, agent: bool) -> list[str]:
        """The option of `board run` with the words for the kernel's command line."""
        init = "/bin/sh" if self.workload else "/sbin/init"
        words = [recording, self.append]
        words += [f"init=/{AGENT} TINYPROF_INIT={init}"] if agent else [f"init={init}"]
        if self.workload:
            script = f"mount -t proc proc /proc; {self.workload}; {_REPORT}; reboot -f"
            words.append(f'-- -c "{script}"')
        return ["--append", " ".join(filter(None, words))]

    @contextlib.contextmanager
    def _running(
        self, image: Path, words: list[str], console: Path
    ) -> Iterator[subprocess.Popen[str]]:
        command = [str(self.program), "run", str(image), "--icount", *self.words, *words]
        click.echo("$ " + shown(shlex.join([self.program.name, *command[1:]])), err=True)
        with console.open("wb") as said:
            try:
                running = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                )
            except OSError as error:
                raise TinyprofError(
                    f"{self.program}: {error.strerror}", "name the program firmware/board/board"
                ) from None
            with running:
                try:
                    yield running
                finally:
                    # The board ends its guest on the way out; killed, it would leave it behind.
                    running.terminate()

    def _failed(self, running: subprocess.Popen[str], said: str, console: Path) -> TinyprofError:
        last = said.strip().splitlines()[-1:] or [f"exit code {running.poll()}"]
        return TinyprofError(
            f"the board failed: {last[0].removeprefix('board: ')}",
            f"the guest's last words are in {console}",
        )


def _end_of(console: Path) -> bytes:
    with console.open("rb") as file:
        file.seek(max(0, console.stat().st_size - REPORT_MAX))
        return file.read(REPORT_MAX)


def _measured(
    image: Path, kernel: KernelModel, found: Mapping[bytes, bytes], console: Path
) -> Measured:
    if found.get(b"workload") != b"done":
        raise TinyprofError(
            f"{image.name}: the guest reported no finished workload, so nothing was measured",
            f"see {console}; give --workload, or have init print what the reference's init prints",
        )
    try:
        return Measured(
            image.name,
            kernel,
            image.stat().st_size,
            int(found[b"Cached"]) - int(found[b"Shmem"]),
            int(found[b"pgmajfault"]),
            int(found[b"pgfault"]),
            float(found[b"uptime"]),
        )
    except (KeyError, ValueError) as error:
        raise TinyprofError(
            f"{image.name}: the guest's report has no proper figure {error}", f"see {console}"
        ) from None
