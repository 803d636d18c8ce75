# SPDX-License-Identifier: MIT
"""tinyprof optimize: the whole loop for one root filesystem, in one command."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tinyprof.cli import Exit, cli
from tinyprof.cli.completion import files_ending, ports
from tinyprof.cli.loop.board import AGENT, WORKLOAD_MAX, BoardCommand, Measured
from tinyprof.cli.loop.outcome import Outcome
from tinyprof.cli.loop.recording import RecordingSource, record_until_steady
from tinyprof.cli.opening import open_profile
from tinyprof.cli.results import write_result
from tinyprof.cli.types import TIME, Bytes
from tinyprof.cramfs.kernel import KernelModel
from tinyprof.disk import refuse_inputs, refuse_inside
from tinyprof.errors import TinyprofError
from tinyprof.record.session import SIM
from tinyprof.text import shown

FILE = click.Path(path_type=Path)
BYTES = Bytes()
STEADY_SECONDS = 60.0
"""Seconds of the steady state after which a recording from a port has enough."""

SUFFIXES = {
    "plain": ".plain.cramfs",
    "capture": ".tpcap",
    "profile": ".tprof",
    "plan": ".plan",
    "page": ".html",
    "report": ".json",
    "console": ".console",
}
"""Ends of the names of the files beside IMAGE."""


@dataclass(frozen=True, slots=True)
class LoopWords:
    """The options of the command line."""

    port: str | None
    baud: int
    flashed: Path | None
    board: Path | None
    board_words: str
    append: str
    workload: str
    no_boot: bool
    steady: float | None
    duration: float | None
    kernel: KernelModel
    flash_budget: int | None
    image_size: int | None
    save_ram: int | None
    squash: bool
    as_json: bool

    def budget(self) -> list[str]:
        """The budget, as options of `tinyprof plan`."""
        limits = {
            "--flash-budget": self.flash_budget,
            "--image-size": self.image_size,
            "--save-ram": self.save_ram,
        }
        return [word for name, it in limits.items() if it is not None for word in (name, str(it))]

    def how(self) -> list[str]:
        """The kernel and the owners, as options of `tinyprof plan` and `build`."""
        split = ["--split-segments"] if self.kernel == "mainline" else []
        return ["--kernel", self.kernel, *split, *(["-q"] if self.squash else [])]

    def plain(self) -> list[str]:
        """The owners, as options of `tinyprof build` for the image without pages in place."""
        return ["-q"] if self.squash else []

    def on_board(self) -> BoardCommand | None:
        """The board that boots images, if there is one."""
        if not self.board:
            return None
        try:
            words = tuple(shlex.split(self.board_words))
        except ValueError as error:
            raise click.UsageError(f"--board-words: {error}") from None
        return BoardCommand(self.board.resolve(), words, self.append, self.workload)


@click.command(
    help="Record the target, plan, and build IMAGE from the folder ROOTFS with the pages in place "
    "that pay. With --board, boot it and compare it with the image without pages in place. "
    "Capture, profile, plan and report are left beside IMAGE, under its name.",
    epilog="Example: tinyprof optimize rootfs/ root.cramfs --port /dev/ttyACM0 --flash-budget 1M",
)
@click.argument("rootfs", type=FILE)
@click.argument("image", type=FILE)
@click.option(
    "--port", shell_complete=ports, help="Record the target on this port, as 'record' names it."
)
@click.option("--baud", type=click.IntRange(1), default=115_200, show_default=True)
@click.option(
    "--flashed",
    type=FILE,
    shell_complete=files_ending((".cramfs",)),
    help="With --port: the image in the target's flash, where that is a CramFS.",
)
@click.option(
    "--board",
    type=FILE,
    help="Record ROOTFS by booting it on the reference board: the path of firmware/board/board.",
)
@click.option(
    "--board-words", default="", metavar="WORDS", help="More words for 'board run': '--mem 32'."
)
@click.option(
    "--append", default="", metavar="WORDS", help="More words for the guest's kernel command line."
)
@click.option(
    "--workload",
    default="",
    metavar="COMMAND",
    help="Shell command that the guest runs in place of its init, before it reboots.",
)
@click.option("--no-boot", is_flag=True, help="With --board: do not boot the results.")
@click.option(
    "--steady",
    type=TIME,
    help="Stop recording once the steady state has been seen for this time.  [default: 60s with "
    "--port, with --board when the guest reboots]",
)
@click.option("--duration", type=TIME, help="Stop recording after this time, whatever was seen.")
@click.option(
    "--kernel",
    type=click.Choice(["mainline", "patched"]),
    default="mainline",
    show_default=True,
    help="Kernel that will map the pages: a stock one, for which segments are split, or one with "
    "tinyprof's fault handler.",
)
@click.option(
    "--flash-budget", type=BYTES, help="Bytes by which the image may grow, at most: 300K, 1M."
)
@click.option("--image-size", type=BYTES, help="Bytes of the image, at most: 300K, 1M.")
@click.option("--save-ram", type=BYTES, help="Bytes of page cache to save, at least.")
@click.option("-q", "squash", is_flag=True, help="Let root own everything, as in build.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(rootfs: Path, image: Path, **options: Any) -> Exit:
    words = LoopWords(**options)
    _check(rootfs, image, words)
    capture = _beside(image, "capture")
    lost = _record(rootfs, image, words)
    profile, plan = _beside(image, "profile"), _beside(image, "plan")
    _step("profile", capture, "-o", profile)
    document = _plan(rootfs, profile, plan, words)
    _step("build", rootfs, image, "--plan", plan, *words.how())
    _step("image", "check", "--kernel", words.kernel, image)
    _step("report", profile, "--rootfs", rootfs, "--html", _beside(image, "page"))
    boots = _boots(image, words)
    return _end(image, Outcome(words.kernel, document, boots, _steady_seen(profile), lost), words)


def _check(rootfs: Path, image: Path, words: LoopWords) -> None:
    """Raise click.UsageError or TinyprofError for words that make no loop."""
    if (words.port is None) == (words.board is None):
        raise click.UsageError("give --port or --board, to say where ROOTFS is to be recorded")
    if words.flashed and not words.port:
        raise click.UsageError("--flashed goes with --port")
    on_board = words.board_words or words.append or words.workload or words.no_boot
    if on_board and not words.board:
        raise click.UsageError("--board-words, --append, --workload and --no-boot go with --board")
    if '"' in words.workload or not f" {words.workload}".isprintable():
        raise click.UsageError("--workload is one line without \", for a kernel's command line")
    if len(words.workload) > WORKLOAD_MAX:
        raise click.UsageError(f"--workload has more than {WORKLOAD_MAX} characters")
    if str(image) == "-":
        raise click.UsageError("IMAGE is a file: others are left beside it")
    words.on_board()
    if len(words.budget()) > 2:
        raise click.UsageError("--flash-budget, --image-size and --save-ram exclude one another")
    _check_files(rootfs, image, words.flashed)
    if words.board and not (rootfs / AGENT).is_file():
        raise TinyprofError(
            f"{rootfs} has no /{AGENT}, so nothing could be recorded",
            "copy the file that 'firmware/board/board agent' prints there",
        )


def _check_files(rootfs: Path, image: Path, flashed: Path | None) -> None:
    """Raise TinyprofError where a file would be lost, or where there is nothing to pack. Nothing
    has been built or booted yet."""
    if not rootfs.is_dir():
        raise TinyprofError(
            f"{shown(str(rootfs))} is no folder", "name the folder of the root filesystem"
        )
    beside = [_beside(image, name) for name in SUFFIXES]
    for path in (image, *beside):
        refuse_inside(path, rootfs)
        if flashed:
            refuse_inputs(path, [flashed])
    if image in beside:
        raise TinyprofError(
            f"{shown(str(image))} has the name of a file beside it",
            "call it rootfs.cramfs, for example",
        )
    capture = _beside(image, "capture")
    if capture.exists() or capture.is_symlink():
        raise TinyprofError(
            f"{shown(str(capture))} exists: a recording is never overwritten",
            "move it away, or give IMAGE another name",
        )


def _beside(image: Path, name: str) -> Path:
    """The path of a file beside the image: its name without a last suffix, and another end."""
    return image.with_name(image.stem + SUFFIXES[name])


def _step(*words: str | Path, out: io.StringIO | None = None) -> None:
    """Run a command of tinyprof's and show it as a user would type it. Raises what it raises, and
    TinyprofError where it fails in words of its own. Its output goes to stderr, or to `out`."""
    text = [str(word) for word in words]
    click.echo("$ " + shown(shlex.join(["tinyprof", *text])), err=True)
    with contextlib.redirect_stdout(out or sys.stderr):
        code = cli.main(text, prog_name="tinyprof", standalone_mode=False) or Exit.OK
    if code not in (Exit.OK, Exit.LOSS_OR_STALE):
        raise TinyprofError(f"'tinyprof {text[0]}' ended with exit code {int(code)}")


def _record(rootfs: Path, image: Path, words: LoopWords) -> bool:
    """Record from the port, or by booting the board. Returns whether anything was lost."""
    plain, capture = _beside(image, "plain"), _beside(image, "capture")
    limits = (words.steady, words.duration)
    if board := words.on_board():
        _step("build", rootfs, plain, *words.plain())
        with board.recorded(plain, _beside(image, "console")) as port:
            return _recorded(RecordingSource(port, words.baud, capture, plain, rootfs, *limits))
    assert words.port
    steady = STEADY_SECONDS if words.steady is None else words.steady
    # A device may still have to appear. One that is there goes away and comes back only if it is a
    # serial device, which needs no asking: a link in /dev may lead to a pty.
    wait = words.port.startswith("/dev/") and not Path(words.port).exists()
    # A recorded target and a file have an end.
    endless = not words.port.startswith(SIM) and not Path(words.port).is_file()
    source = RecordingSource(
        words.port,
        words.baud,
        capture,
        words.flashed,
        rootfs,
        steady,
        words.duration,
        wait,
        endless,
    )
    return _recorded(source)


def _recorded(source: RecordingSource) -> bool:
    flags = ["--image", str(source.image)] if source.image else ["--rootfs", str(source.rootfs)]
    equal = ["tinyprof", "record", source.port, "-o", str(source.capture), *flags]
    click.echo("$ " + shown(shlex.join(equal)), err=True)
    recorded = record_until_steady(source)
    click.echo(f"tinyprof: steady state seen for {recorded.steady_seconds:.0f} s", err=True)
    return recorded.has_losses


def _plan(rootfs: Path, profile: Path, plan: Path, words: LoopWords) -> dict[str, Any]:
    """Plan to the budget, and return the fields of the plan."""
    out = io.StringIO()
    how = [*words.how(), *words.budget()]
    _step("plan", rootfs, "-p", profile, *how, "-o", plan, "--json", out=out)
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


def _boots(image: Path, words: LoopWords) -> Sequence[Measured]:
    """Boot the image without pages in place and the image, where there is a board."""
    board = words.on_board()
    if not board or words.no_boot:
        return ()
    console = _beside(image, "console")
    return [board.measured(it, words.kernel, console) for it in (_beside(image, "plain"), image)]


def _steady_seen(profile: Path) -> bool:
    """Whether a boot has a steady state beside another phase. Where none was found, all phases
    count as steady."""
    boots = open_profile([profile]).boots
    return any(len({phase.steady for phase in boot.phases}) > 1 for boot in boots)


def _end(image: Path, outcome: Outcome, words: LoopWords) -> Exit:
    """Write the report, print the table, and tell what the user has to look at."""
    fields = {"image": str(image), **outcome.fields()}
    write_result(_beside(image, "report"), (json.dumps(fields, indent=2) + "\n").encode())
    for fault in outcome.faults():
        click.echo(f"tinyprof: {fault}", err=True)
    if words.as_json:
        click.echo(json.dumps(fields))
    else:
        for line in outcome.lines():
            click.echo(shown(line))
    return Exit.LOSS_OR_STALE if list(outcome.faults()) else Exit.OK
