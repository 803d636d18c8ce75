# SPDX-License-Identifier: MIT
"""The ledger of a recording: losses by cause, and near losses that were made good.

Totals come in. A table with a row for each cause goes out, as lines of text or as fields of a JSON
document. The text leaves out rows that count nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from tinyprof.heat.losses import Losses
from tinyprof.heat.totals import MissingRecords, Totals, loss_counts
from tinyprof.text import counted

LOST = {
    "frames": "frames missing by their numbers",
    "records": "records missing by the epochs' ends",
    "corrupt": "corrupt stretches that nobody repeats",
    "untraced": "touches that the target could not trace",
    "write_errors": "frames under which the target's port vanished",
    "beyond_limits": "records and files beyond all limits",
    "lost_events": "events that the target's kernel dropped",
}
NOT_LOST = {
    "corrupt_repeated": "corrupt stretches, whose frames the target repeats",
    "duplicates": "frames that came again",
    "waited_ms": "ms for which the target kept its records back",
    "gaps": "times that the port went away",
    "overruns": "bytes that this machine's port had no room for",
    "unknown_messages": "messages of a later version, kept and not understood",
}
"""Causes that lose no record by themselves. If one did, a row of LOST counts it."""

_SHORT = {
    "gaps": "port gaps: {}",
    "overruns": "overrun here: {} bytes",
    "corrupt_repeated": "corrupt but repeated: {}",
    "waited_ms": "target waited: {} ms",
    "duplicates": "{} duplicate frames",
    "unknown_messages": "not understood: {}",
}
"""Words for a status line, the worst cause first: the line may have no room for all."""

EPOCHS_SHOWN = 8
"""Epochs with missing records that the text names: those that lack most."""


def made_good(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """The causes that lost nothing, of those that count: each name and a few words."""
    return [
        (name, _one(words, counts[name]).format(f"{counts[name]:,}"))
        for name, words in _SHORT.items()
        if counts.get(name)
    ]


def _one(words: str, count: int) -> str:
    """Return the words for one thing, or as they are for more. A millisecond is ms either way."""
    return words.removesuffix("s") if count == 1 and not words.endswith("ms") else words


def _in_number(what: str, count: int) -> str:
    """Return a row's words for one thing, or as they are for more. The noun is their first word,
    or follows `corrupt`."""
    if count != 1 or what.startswith("ms "):
        return what
    words = what.split(" ")
    at = words[0] == "corrupt"
    noun, comma = words[at].rstrip(","), "," * words[at].endswith(",")
    words[at] = noun.removesuffix("es" if noun.endswith(("tches", "ches")) else "s") + comma
    return " ".join(words)


def ledger_lines(totals: Totals) -> Iterator[str]:
    """The table as text, and the epochs that lack most records."""
    counts = loss_counts(totals)
    for verdict, causes in (("lost", LOST), ("not lost", NOT_LOST)):
        for name, what in causes.items():
            if counts[name]:
                number = f"{counts[name]:10}"
                yield f"  {verdict:8} {number} {_in_number(what, counts[name])}"
    for missing in sorted(totals.missing, key=lambda missing: -missing.records)[:EPOCHS_SHOWN]:
        boot = f"boot {missing.boot}, " if totals.boots > 1 else ""
        yield (
            f"  {boot}volume {missing.volume}, epoch {missing.epoch} lacks "
            f"{counted(missing.records, 'record')}"
        )


def ledger_fields(totals: Totals) -> dict[str, Any]:
    """The table as JSON fields: every cause, and every epoch with missing records."""
    return {
        "repeats": totals.repeats,
        "causes": loss_counts(totals),
        "missing": [_missing_fields(missing) for missing in totals.missing],
    }


def losses_text(losses: Losses) -> str:
    """The losses of a boot by cause, in words."""
    causes = (
        (losses.frames, "frame", ""),
        (losses.corrupt, "stretch", " of garbage"),
        (losses.records, "record", ""),
        (losses.untraced, "touch", " not traced"),
        (losses.write_errors, "frame", " not written"),
        (losses.beyond_limits, "record", " beyond all limits"),
        (losses.lost_events, "event", " dropped by the target's kernel"),
    )
    return (
        ", ".join(f"{counted(count, noun)}{how}" for count, noun, how in causes if count)
        or "nothing"
    )


def _missing_fields(missing: MissingRecords) -> dict[str, int]:
    """The JSON calls a boot `run`, as it did before the word had one meaning."""
    fields = asdict(missing)
    return {"run": fields.pop("boot"), **fields}
