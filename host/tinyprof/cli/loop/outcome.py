# SPDX-License-Identifier: MIT
"""The outcome of the loop: a plan's prediction and measured boots in, a table and JSON out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tinyprof.cli.loop.board import Measured
from tinyprof.tables.columns import kib, signed_percent
from tinyprof.text import counted

TOLERANCE = 0.02
"""The share of the page cache without pages in place by which a prediction may be off."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The loop's result.

    - `kernel`: the kernel that the image is for.
    - `plan`: the fields of `tinyprof plan --json`.
    - `boots`: the boots of the image without pages in place, and of the image; empty where nothing
      was booted.
    - `steady_seen`: a boot in the profile has a steady state that could be told from start-up.
    - `lost`: the recording lost something.
    """

    kernel: str
    plan: dict[str, Any]
    boots: Sequence[Measured]
    steady_seen: bool
    lost: bool

    @property
    def off_by(self) -> float | None:
        """The share of the page cache without pages in place by which the prediction was off; None
        where nothing was booted."""
        if not self.boots:
            return None
        before, after = self.boots
        predicted: float = self.plan["prediction"]["page_cache"] / 1024
        return (predicted - after.page_cache_kib) / max(before.page_cache_kib, 1)

    def faults(self) -> Iterator[str]:
        """What the user has to look at."""
        if self.lost:
            yield "the recording has losses: record again, or look at them in the capture"
        if not self.steady_seen:
            yield (
                "the steady state was not seen, so pages of start-up count as much as any: "
                "record for longer, or have the target mark a phase as steady"
            )
        if self.plan["match"]["pages"]["unmatched"]:
            yield "some used pages are not in ROOTFS any more; the lines above name their files"
        if self.off_by is not None and abs(self.off_by) > TOLERANCE:
            yield (
                f"the page cache is not as predicted: off by {signed_percent(self.off_by, 1)} of "
                "that without pages in place"
            )

    def fields(self) -> dict[str, Any]:
        """The object for JSON."""
        return {
            "kernel": self.kernel,
            "prediction": self.plan["prediction"],
            "pages_in_place": self.plan["prediction"]["pages"],
            "steady_seen": self.steady_seen,
            "boots": [asdict(boot) for boot in self.boots],
            "off_by": None if self.off_by is None else round(self.off_by, 4),
            "look_at": list(self.faults()),
        }

    def lines(self) -> Iterator[str]:
        """The table as Markdown, and a line about the prediction."""
        it = self.plan["prediction"]
        yield "| | before | after | change |"
        yield "|---|---:|---:|---:|"
        yield _row("image bytes", it["image_before"], it["image"], "{:,}")
        yield _row(
            "page cache, predicted", it["page_cache_before"] // 1024, it["page_cache"] // 1024
        )
        if self.boots:
            before, after = self.boots
            yield _row("page cache, booted", before.page_cache_kib, after.page_cache_kib)
            yield _row("major faults", before.major_faults, after.major_faults, "{:,}")
            yield _row("faults", before.faults, after.faults, "{:,}")
            yield _row("guest time", before.guest_seconds, after.guest_seconds, "{:.2f} s")
        yield ""
        yield f"{counted(it['pages'], 'page')} in place ({kib(it['pages'] << 12)} KiB)"


def _row(name: str, before: float, after: float, form: str = "{:,} KiB") -> str:
    change = signed_percent(after - before, before) if before else ""
    return f"| {name} | {form.format(before)} | {form.format(after)} | {change} |"
