# SPDX-License-Identifier: MIT
"""Files that the view writes beside the capture: a plan and a profile.

Pages or a profile come in, and a file goes out, whole or not at all. A file that was there before
is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual.app import App

from tinyprof.errors import TinyprofError
from tinyprof.plan.plan_file import dump_plan
from tinyprof.plan.what_if import Kernel, WhatIf
from tinyprof.profile.model import Profile
from tinyprof.profile.tprof import dump_profile
from tinyprof.text import path_word, shown

Save = Callable[[Path, bytes], object]


class Writing:
    """Writes beside one capture, and says what came of it."""

    def __init__(self, app: App[None], capture: Path, save: Save) -> None:
        self._app, self._capture, self._save = app, capture, save
        self._written: set[Path] = set()

    def plan(self, curve: WhatIf | None, budget: int, kernel: Kernel) -> None:
        """Write the pages that a budget buys, for 'tinyprof build --plan'."""
        if curve is None or not curve.everything.pages:
            self._app.notify("there is nothing to plan yet", severity="warning")
            return
        command = f"tinyprof build ROOTFS IMAGE{kernel.build} --plan"
        self._write(".plan", dump_plan(curve.pages_within(budget)), command)

    def profile(self, profile: Profile | None) -> None:
        """Write the profile of what was recorded so far."""
        if profile is None:
            self._app.notify("there is nothing to profile yet", severity="warning")
            return
        self._write(".tprof", dump_profile(profile), "tinyprof report")

    def _write(self, suffix: str, text: str, command: str) -> None:
        path = self._capture.with_suffix(suffix)
        if path.exists() and path not in self._written:
            self._app.notify(
                f"{shown(str(path))} exists and is left alone", severity="error", markup=False
            )
            return
        try:
            self._save(path, text.encode())
        except (TinyprofError, OSError) as error:
            why = f"{shown(str(path))}: {error.strerror}" if isinstance(error, OSError) else error
            self._app.notify(shown(str(why)), severity="error", markup=False)
            return
        self._written.add(path)
        self._app.notify(f"written; next: {command} {path_word(path)}", markup=False)
