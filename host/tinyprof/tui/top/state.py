# SPDX-License-Identifier: MIT
"""The state of the view in words, and what must not be overlooked. Facts in, words out."""

from __future__ import annotations

from dataclasses import dataclass

from tinyprof.live.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class ViewState:
    """The facts. `past`: the epoch that is shown, if not the newest. `why`: why the recording
    ended, where nobody had asked for it."""

    newest: Snapshot
    is_live: bool
    is_over: bool
    is_held: bool
    past: int | None
    why: str = ""

    @property
    def words(self) -> str:
        """A word or two for what goes on."""
        if self.past is not None:
            return f"as of epoch {self.past}"
        if self.is_over:
            return "recording ended" if self.is_live else "capture"
        if self.is_held:
            return "held"
        if not self.is_live:
            return "reading"
        if self.newest.away:
            return "waiting for the port"
        return "stopped" if self.newest.is_stopped else "recording"

    @property
    def moment(self) -> str:
        """The moment that the verdict is of; empty for the present one."""
        if self.past is not None:
            return f"as of epoch {self.past}"
        if self.is_over:
            return "whole recording"
        return "" if self.is_live else "read so far"

    @property
    def alarm(self) -> str:
        """What must not be overlooked; empty if all is well."""
        if self.newest.away and not self.is_over:
            return "THE PORT IS AWAY: plug it in again. It is waited for; q ends the recording"
        if self.why:
            return f"THE RECORDING HAS ENDED: {self.why}. q leaves the view"
        return ""
