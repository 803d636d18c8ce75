# SPDX-License-Identifier: MIT
"""tinyprof record"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tinyprof.capture import CaptureWriter
from tinyprof.cli import Exit
from tinyprof.errors import TinyprofError
from tinyprof.link import open_link
from tinyprof.recorder import Totals, record

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Time(click.ParamType[float]):
    """A time with its unit, in seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value)
        number = text.rstrip("smh")
        unit = SECONDS.get(text[len(number) :])
        if not number.isdecimal() or unit is None:
            self.fail(f"{text!r} is no time; write 250ms, 1s, 2m or 1h", param, ctx)
        return int(number) * unit


TIME = Time()


def _progress(totals: Totals, elapsed: float) -> None:
    if not sys.stderr.isatty():
        return
    rate = totals.records / elapsed if elapsed else 0
    loss = "no loss" if totals.lossless else f"{totals.lost_frames} frames lost"
    line = f"{elapsed:6.1f} s {rate:6.0f} records/s {len(totals.pages)} pages {totals.epochs} epochs {loss}"
    click.echo("\r" + line + "\x1b[K", err=True, nl=False)


def _check_hello(totals: Totals) -> None:
    if totals.hello is None:
        seen = f"{totals.bytes} bytes, none of them a hello" if totals.bytes else "nothing arrived"
        raise TinyprofError(f"no target was heard: {seen}", "check the baud rate and that the agent runs")
    if not totals.hello.tracer:
        raise TinyprofError(
            f"the target's kernel {totals.hello.kernel!r} has no tracer",
            "build it with CONFIG_CRAMFS_TINYPROF=y and boot with cramfs.tinyprof=1 (docs/kernel.md)",
        )


@click.command(help="Record the page accesses of a target on PORT until the line ends or you press Ctrl-C.")
@click.argument("port")
@click.option(
    "-o", "output", type=click.Path(path_type=Path), default=Path("record.tpcap"), show_default=True
)
@click.option("--baud", type=int, default=115_200, show_default=True)
@click.option("--epoch", type=TIME, help="Ask the target for epochs of this length: 250ms, 1s, 2m.")
@click.option("--duration", type=TIME, help="Stop after this time: 60s, 5m.")
@click.option("--epochs", type=click.IntRange(1), help="Stop after so many epochs.")
@click.option("--no-tui", is_flag=True, help="A progress line only; there is nothing else yet.")
def command(
    port: str,
    output: Path,
    baud: int,
    epoch: float | None,
    duration: float | None,
    epochs: int | None,
    no_tui: bool,
) -> Exit:
    if output.exists():
        raise TinyprofError(f"{output} exists", "name another file with -o")
    link = open_link(port, baud)
    try:
        with output.open("xb") as file:
            totals = record(
                link,
                CaptureWriter(file),
                epoch_ms=None if epoch is None else round(epoch * 1000),
                seconds=duration,
                epochs=epochs,
                progress=_progress,
            )
    finally:
        link.close()
    _check_hello(totals)
    click.echo(
        f"{output}: {totals.records} records of {len(totals.pages)} pages in {totals.epochs} epochs, "
        f"{totals.bytes} bytes; lost: {totals.lost_frames} frames, {totals.missing_records} records; "
        f"{totals.corrupt_frames} corrupt stretches",
        err=True,
    )
    if totals.interrupted:
        return Exit.INTERRUPTED
    return Exit.OK if totals.lossless else Exit.LOSS_OR_STALE
