# SPDX-License-Identifier: MIT
"""The ledger of a recording: what was lost, what was nearly lost and made good, and by which
cause.

Totals come in; a table goes out, a row a cause, as lines of text or as fields of a JSON document.
Rows that count nothing are left out of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from tinyprof.heat.losses import Losses
from tinyprof.heat.totals import MissingRecords, Totals, loss_counts

LOST = {
    "frames": "frames missing by their numbers",
    "records": "records missing by the epochs' ends",
    "corrupt": "corrupt stretches that nobody repeats",
    "untraced": "touches that the target could not trace",
    "write_errors": "frames under which the target's port vanished",
    "beyond_limits": "records beyond all limits",
}
NOT_LOST = {
    "corrupt_repeated": "corrupt stretches, whose frames the target repeats",
    "duplicates": "frames that came again",
    "waited_ms": "ms for which the target kept its records back",
    "gaps": "times that the port went away",
    "overruns": "bytes that this machine's port had no room for",
    "unknown_messages": "messages of a later version, kept and not understood",
}
"""What left no record out by itself: if it did, a row above counts it."""

_SHORT = {
    "gaps": "port gaps: {}",
    "overruns": "overrun here: {} bytes",
    "corrupt_repeated": "corrupt but repeated: {}",
    "waited_ms": "target waited: {} ms",
    "duplicates": "{} duplicate frames",
    "unknown_messages": "not understood: {}",
}
"""The worst first: a line may have no room for all."""

EPOCHS_SHOWN = 8


def made_good(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """What counts and was not lost: each cause, and a few words."""
    return [
        (name, _one(words, counts[name]).format(f"{counts[name]:,}"))
        for name, words in _SHORT.items()
        if counts.get(name)
    ]


def _one(words: str, count: int) -> str:
    """Return the words for one thing, or as they are for more. A millisecond is ms either way."""
    return words.removesuffix("s") if count == 1 and not words.endswith("ms") else words


def ledger_lines(totals: Totals) -> Iterator[str]:
    """The table, and the epochs that lack most."""
    counts = loss_counts(totals)
    for verdict, causes in (("lost", LOST), ("not lost", NOT_LOST)):
        for name, what in causes.items():
            if counts[name]:
                yield f"  {verdict:8} {counts[name]:10} {what}"
    for missing in sorted(totals.missing, key=lambda missing: -missing.records)[:EPOCHS_SHOWN]:
        boot = f"run {missing.boot}, " if totals.boots > 1 else ""
        yield (
            f"  {boot}volume {missing.volume}, epoch {missing.epoch} lacks "
            f"{missing.records} records"
        )


def ledger_fields(totals: Totals) -> dict[str, Any]:
    """The same for scripts: every cause, and every epoch that is named."""
    return {
        "repeats": totals.repeats,
        "causes": loss_counts(totals),
        "missing": [_missing_fields(missing) for missing in totals.missing],
    }


def losses_text(losses: Losses) -> str:
    """What is missing, by cause, in words."""
    causes = (
        (losses.frames, "frame", ""),
        (losses.corrupt, "stretch", " of garbage"),
        (losses.records, "record", ""),
        (losses.untraced, "touch", " not traced"),
        (losses.write_errors, "frame", " not written"),
        (losses.beyond_limits, "record", " beyond all limits"),
    )
    return (
        ", ".join(f"{_counted(count, what)}{how}" for count, what, how in causes if count)
        or "nothing"
    )


def _counted(count: int, what: str) -> str:
    if count == 1:
        return f"1 {what}"
    return f"{count} {what}es" if what.endswith("ch") else f"{count} {what}s"


def _missing_fields(missing: MissingRecords) -> dict[str, int]:
    """The JSON calls a boot `run`, as it did before the word had one meaning."""
    fields = asdict(missing)
    return {"run": fields.pop("boot"), **fields}
