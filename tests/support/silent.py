# SPDX-License-Identifier: MIT
"""An Observer of a recording that has nothing to say."""

from __future__ import annotations

from collections.abc import Callable

from tinyprof.errors import TinyprofError
from tinyprof.heat.totals import Totals


class Silent:
    def progress(self, totals: Callable[[], Totals]) -> None:
        pass

    def console(self, text: bytes) -> None:
        pass

    def warning(self, warning: TinyprofError) -> None:
        pass
