# SPDX-License-Identifier: MIT
"""Parses times, sizes, shares, limits and the settings of a serial device on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from tinyprof.text import seconds_of

if TYPE_CHECKING:
    from tinyprof.report.images.limits import Limit


class Percent(click.ParamType[float]):
    """A share: 20% or 0.2."""

    name = "percent"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text = str(value)
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is no share; write 20% or 0.2", param, ctx)
        return share


class Time(click.ParamType[float]):
    """A time with its unit. Gives seconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds = seconds_of(str(value))
        if seconds is None:
            self.fail(f"{value!r} is no time; write 250ms, 1s, 2m or 1h", param, ctx)
        return seconds


class LimitType(click.ParamType["Limit"]):
    """A limit of a change: 1%, 64K, 0 or <=24M."""

    name = "limit"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Limit:
        # Commands without limits do not wait for the comparison of images.
        from tinyprof.report.images.limits import read_limit  # noqa: PLC0415

        limit = read_limit(str(value))
        if limit is None:
            self.fail(f"{value!r} is no limit; write 1%, 64K, 0 or <=24M", param, ctx)
        return limit


TIME, LIMIT = Time(), LimitType()
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Bytes(click.ParamType[int]):
    """A number of bytes: decimal, perhaps with K, M or G for powers of 1,024, or hexadecimal."""

    name = "bytes"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        text = str(value).lower()
        if re.fullmatch("0x[0-9a-f]{1,12}", text):
            return int(text, 16)
        found = re.fullmatch(r"([0-9]{1,12})(?:\.([0-9]{1,3}))?([kmg]?)(?:i?b)?", text)
        if not found:
            self.fail(
                f"{value!r} is no number of bytes; write 300000, 512K, 1.5M or 0x40000", param, ctx
            )
        whole, part, unit = found.groups()
        return int(whole) * UNITS[unit] + int(part or 0) * UNITS[unit] // int(
            "1" + "0" * len(part or "")
        )


def serial_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a serial device. They reach it as one `line`."""

    @wraps(command)
    def with_line(
        *words: Any,
        baud: int,
        parity: str,
        rtscts: bool,
        dtr: str | None,
        rts: str | None,
        **others: Any,
    ) -> Any:
        # Builds of images do without pyserial.
        from tinyprof.wire.ports.serial_device import SerialSettings  # noqa: PLC0415

        line = SerialSettings(baud, parity, rtscts, _is_on(dtr), _is_on(rts))
        return command(*words, line=line, **others)

    level = click.Choice(["on", "off"])
    for option in (
        click.option("--rts", type=level, help="Level of RTS while the port is open."),
        click.option(
            "--dtr",
            type=level,
            help="Level of DTR while the port is open: off for a board that it resets.",
        ),
        click.option(
            "--rtscts",
            is_flag=True,
            help="Let both sides of a serial device hold each other back by RTS and CTS.",
        ),
        click.option(
            "--parity",
            type=click.Choice(["none", "even", "odd"]),
            default="none",
            show_default=True,
            help="Parity bit of a serial device.",
        ),
        click.option(
            "--baud",
            type=click.IntRange(1),
            default=115_200,
            show_default=True,
            help="Baud rate of a serial device.",
        ),
    ):
        with_line = option(with_line)
    return with_line


def _is_on(level: str | None) -> bool | None:
    return None if level is None else level == "on"
