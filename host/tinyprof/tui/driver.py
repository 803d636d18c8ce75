# SPDX-License-Identifier: MIT
"""The terminal of the live view: drawing never waits for it, and its end ends nothing else.

Textual's own driver waits for a terminal that takes no more text (Ctrl-S, a stalled ssh), and then
no key and no signal is served.
"""

from __future__ import annotations

import sys
from typing import Any, cast

from textual.drivers.linux_driver import LinuxDriver

from tinyprof.live.outlet import Outlet


class PatientDriver(LinuxDriver):
    """Draws through an Outlet. `told_to_end` is asked when the view closes."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self.outlet = Outlet(sys.__stderr__.fileno if sys.__stderr__ else lambda: 2)
        self._file = cast(Any, self.outlet)

    @property
    def must_draw_anew(self) -> bool:
        """Whether the terminal takes text again after some of it was left out. Asked once."""
        if not self.outlet.lost_bytes or not self.outlet.is_empty:
            return False
        self.outlet.lost_bytes = 0
        return True

    def close(self) -> None:
        """Give the terminal back; a terminal that takes nothing keeps its picture."""
        super().close()
        self.outlet.close(lambda: True)
