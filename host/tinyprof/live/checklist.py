# SPDX-License-Identifier: MIT
"""The checklist of a recording in which no agent was heard: what works, and what to try.

The state of the line comes in. A headline, checks and advice go out, in words. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyprof.text import shown

NO_TARGET = "no target heard yet"
TEXT_ONLY = "text arrives, but no agent yet"
HELLO = "ten seconds"
"""The longest time between two hellos: HELLO_MS of the agent."""
TEXT_LEAST = 2
"""Bytes of text that are more than a glitch."""


@dataclass(frozen=True, slots=True)
class LineState:
    """A line on which no agent was heard so far.

    - `port`, `baud`: as they were opened. `baud` 0: a port without a rate.
    - `seconds`: since the start of the recording. `away`: the port is away now.
    - `received`: bytes of any kind. `text`: bytes that the target printed.
    """

    port: str
    baud: int = 0
    seconds: float = 0.0
    away: bool = False
    received: int = 0
    text: int = 0

    @property
    def has_text(self) -> bool:
        """Whether the target prints."""
        return self.text >= TEXT_LEAST

    @property
    def headline(self) -> str:
        """The state in a few words."""
        return TEXT_ONLY if self.has_text else NO_TARGET


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """Something that must be so for a recording, and whether it is."""

    is_so: bool
    words: str


def checks(line: LineState) -> list[ChecklistItem]:
    """The checks, in the order in which they come true."""
    rate = f" at {line.baud} baud" if line.baud else ""
    opened = f"{shown(line.port)} is {'AWAY, and is waited for' if line.away else 'open'}{rate}"
    arrived = f"{line.received or 'none'} in {line.seconds:.0f} s"
    if line.has_text:
        arrived += f", {line.text} of them text"
    elif line.received:
        arrived += ", no text and no frame among them"
    return [
        ChecklistItem(not line.away, opened),
        ChecklistItem(line.has_text, f"bytes from the target: {arrived}"),
        ChecklistItem(False, f"hello of the agent: none yet; one is due every {HELLO}"),
    ]


def tries(line: LineState) -> list[str]:
    """Things to try, the likeliest first."""
    agent = "agent: boot with init=/sbin/tinyprof-agent, or log in (key i), start it"
    kernel = "kernel: its command line names the target's port: TINYPROF_TTY=/dev/ttyS0"
    cable = "cable: cross receive and transmit, connect ground; is the target on?"
    rate = "rate: end this, and record again with --baud 9600, 57600 or 921600"
    if line.away:
        return ["cable: plug the port in again; the recording goes on by itself"]
    if line.has_text:
        return [agent, kernel]
    if line.received and line.baud:
        return [rate, cable, agent]
    return [cable, agent, kernel, *([rate] if line.baud else [])]


def checklist(line: LineState) -> list[str]:
    """The whole list as lines of text."""
    return [
        line.headline,
        *(f" {'[x]' if it.is_so else '[ ]'} {it.words}" for it in checks(line)),
        "try",
        *(f"  - {words}" for words in tries(line)),
    ]
