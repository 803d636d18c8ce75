# SPDX-License-Identifier: MIT
"""Parses times, sizes, shares and limits on the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
