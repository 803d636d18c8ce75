# SPDX-License-Identifier: MIT
"""tinyprof doctor"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from tinyprof.capture.format import MAGIC
from tinyprof.cli import Exit
from tinyprof.cli.building.riscv_code import RISCV_CODE
from tinyprof.cli.completion import ports
from tinyprof.cli.doctor.images import fsid_of, image_checks, tree_checks
from tinyprof.cli.doctor.installation import installation_checks
from tinyprof.cli.doctor.kernel_config import (
    KERNEL_MAX,
    KernelConfig,
    is_config_text,
    is_kernel,
    read_config,
)
from tinyprof.cli.doctor.kernel_needs import kernel_checks
from tinyprof.cli.doctor.line import LineRecord
from tinyprof.cli.doctor.port import is_port, port_checks
from tinyprof.cli.doctor.recordings import capture_checks, profile_checks
from tinyprof.cli.doctor.verdict import Check, State, broken_by
from tinyprof.cli.types import TIME
from tinyprof.cramfs.kernel import KERNEL_MODELS, KernelModel
from tinyprof.cramfs.reading.dump import find_images
from tinyprof.disk import read_limited
from tinyprof.errors import TinyprofError
from tinyprof.pages import Fsid
from tinyprof.text import counted, shown
from tinyprof.wire.ports.opening import comports

HEAD_BYTES = 1 << 16
"""Bytes of a file that tell what it is."""

MARKS = {State.OK: "[ok]", State.NOTE: "[--]", State.LOOK: "[!!]", State.BROKEN: "[no]"}
"""Begins of lines."""


@dataclass(frozen=True, slots=True)
class _Words:
    """The options of the command line."""

    baud: int
    seconds: float
    one_way: bool
    kernel: KernelModel | None
    riscv_code: bool


@dataclass
class _Inputs:
    """The words of the command line, by what they turned out to be."""

    ports: list[str] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)
    kernels: list[Path] = field(default_factory=list)
    trees: list[Path] = field(default_factory=list)
    profiles: list[Path] = field(default_factory=list)
    captures: list[Path] = field(default_factory=list)
    unknown: list[Check] = field(default_factory=list)


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes ports, and any file."""
    found = ports(ctx, param, incomplete)
    return (
        found
        if incomplete.startswith("/dev")
        else [*found, CompletionItem(incomplete, type="file")]
    )


@click.command(
    help="Check each step of the way from here, and say what is missing and what to do.\n\n"
    "Each INPUT is a port, an image, the folder of a root filesystem, a profile, a capture, or a "
    "kernel's options: its .config, a copy of its /proc/config.gz, or an image of it with "
    "CONFIG_IKCONFIG. Inputs are also held against each other: image and kernel, profile and "
    "folder, capture and image. Without an INPUT this machine is checked.\n\n"
    "A line that begins with [no] breaks a recording or an image, [!!] has to be looked at, [--] "
    "is worth knowing. Exit code 1: something is broken. 3: something has to be looked at.",
    epilog="Example: tinyprof doctor /dev/ttyACM0 linux/.config rootfs/",
)
@click.argument("inputs", metavar="[INPUT]...", nargs=-1, shell_complete=_complete)
@click.option(
    "--baud",
    type=click.IntRange(50, 20_000_000),
    default=115_200,
    show_default=True,
    help="Baud rate of a serial device.",
)
@click.option(
    "--listen",
    "seconds",
    type=TIME,
    default="5s",
    show_default=True,
    help="Time for which a port is listened to at most.",
)
@click.option("--one-way", is_flag=True, help="Send nothing to the target, not even a question.")
@click.option(
    "--kernel",
    type=click.Choice(KERNEL_MODELS),
    help="Kernel that the images are for: patched, mainline (stock), or nommu.",
)
@RISCV_CODE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def command(inputs: tuple[str, ...], as_json: bool, **options: Any) -> Exit:
    words = _Words(**options)
    checks: list[Check] = []
    found = _sorted_inputs(inputs)
    for check in _checks(found, words):
        if not as_json:
            _show(check, checks[-1].subject if checks else "")
        checks.append(check)
    code = _exit_of(checks)
    if as_json:
        click.echo(json.dumps(_fields(checks, code)))
    else:
        click.echo(_summary(checks), err=True)
    return code


def _sorted_inputs(words: Sequence[str]) -> _Inputs:
    found = _Inputs()
    for word in words:
        if is_port(word):
            found.ports.append(word)
            continue
        path = Path(word)
        try:
            _sort_file(found, path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no file has such a name"
            found.unknown.append(Check(word, "input", State.BROKEN, reason))
    return found


def _sort_file(found: _Inputs, path: Path) -> None:
    """Raises OSError for a file that cannot be read, ValueError for a name with a zero."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        found.trees.append(path)
        return
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(MAGIC[:5]):
        found.captures.append(path)
    elif head.lstrip()[:1] == b"{":
        found.profiles.append(path)
    elif is_kernel(head) or is_config_text(head):
        found.kernels.append(path)
    elif find_images(head) or path.suffix in (".cramfs", ".img"):
        found.images.append(path)
    elif head.startswith(b"\x7fELF") or path.name.startswith(
        ("vmlinu", "zImage", "Image", "bzImage")
    ):
        found.kernels.append(path)
    else:
        found.unknown.append(
            Check(
                str(path),
                "input",
                State.BROKEN,
                "neither port, image, kernel options, folder, profile nor capture",
                ("'tinyprof doctor -h' tells what can be looked at",),
            )
        )


def _checks(inputs: _Inputs, words: _Words) -> Iterator[Check]:
    yield from inputs.unknown
    if inputs == _Inputs():
        yield from installation_checks(comports())
        return
    configs: list[KernelConfig] = []
    for path in inputs.kernels:
        yield from _kernel_checks(path, configs, riscv_code=words.riscv_code)
    config = configs[0] if len(configs) == 1 else None
    for path in inputs.images:
        yield from image_checks(path, words.kernel, config, riscv_code=words.riscv_code)
    for path in inputs.trees:
        yield from tree_checks(path, riscv_code=words.riscv_code)
    fsids = [fsid for path in inputs.images if (fsid := fsid_of(path))]
    for path in inputs.captures:
        yield from capture_checks(path, fsids)
    for path in inputs.profiles:
        yield from profile_checks(path, inputs.trees)
    for port in inputs.ports:
        lines: list[LineRecord] = []
        yield from port_checks(
            port, words.baud, words.seconds, one_way=words.one_way, received=lines.append
        )
        yield from _image_on_line(lines, fsids)


def _kernel_checks(
    path: Path, configs: list[KernelConfig], *, riscv_code: bool
) -> Iterator[Check]:
    try:
        config = read_config(read_limited(path, KERNEL_MAX))
    except (TinyprofError, OSError) as error:
        yield broken_by(str(path), "kernel", error)
        return
    configs.append(config)
    yield from kernel_checks(str(path), config, riscv_code=riscv_code)


def _image_on_line(lines: Sequence[LineRecord], images: Sequence[Fsid]) -> Iterator[Check]:
    """Whether the target on the line runs one of the images."""
    for line in lines:
        volumes = line.hello.volumes if line.hello else ()
        run = [volume.fsid for volume in volumes if not volume.is_files]
        if not run or not images:
            continue
        if set(run) & set(images):
            yield Check(line.port, "image", State.OK, "the target runs the image that was given")
        else:
            yield Check(
                line.port,
                "image",
                State.BROKEN,
                f"the target runs {', '.join(map(str, run))}, not {', '.join(map(str, images))}",
                ("flash the image, or give the one that is in flash",),
            )


def _show(check: Check, subject_before: str) -> None:
    """Print a check. Those of one subject stand below its name."""
    if check.subject != subject_before:
        click.echo(shown(check.subject))
    click.echo(shown(f"{MARKS[check.state]} {check.step}: {check.text}"))
    if check.state is not State.OK:
        for line in check.todo:
            click.echo(f"     {shown(line)}")


def _exit_of(checks: Sequence[Check]) -> Exit:
    states = {check.state for check in checks}
    if State.BROKEN in states:
        return Exit.FAILED
    return Exit.LOSS_OR_STALE if State.LOOK in states else Exit.OK


def _summary(checks: Sequence[Check]) -> str:
    broken = sum(check.state is State.BROKEN for check in checks)
    look = sum(check.state is State.LOOK for check in checks)
    if not broken and not look:
        return f"{counted(len(checks), 'check')}, all well"
    return f"{counted(len(checks), 'check')}: {broken} broken, {look} to look at"


def _fields(checks: Sequence[Check], code: Exit) -> dict[str, object]:
    return {
        "exit_code": int(code),
        "checks": [
            {
                "subject": check.subject,
                "step": check.step,
                "state": check.state.value,
                "text": check.text,
                "todo": list(check.todo),
            }
            for check in checks
        ],
    }
