# SPDX-License-Identifier: MIT
"""Whether there is a terminal to draw on, and a recording that is shown there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tinyprof.cli.output import replace_file
from tinyprof.image_index import ImageIndex
from tinyprof.recorder import Recording

if TYPE_CHECKING:
    from tinyprof.tui.feed import Begin


def has_terminal() -> bool:
    """Whether keys come from a terminal and all that is shown goes to one."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def record_on_screen(
    title: str,
    capture: Path,
    index: ImageIndex | None,
    begin: Begin,
    console: IO[bytes] | None,
    signalled: Callable[[], bool],
) -> Recording:
    """Record under the live view, until that is left or the recording has reached what it was to reach.

    What the target prints goes to `console` too; `signalled` is whether a signal asked for the end.

    Raises what the recording raised.
    """
    # Textual takes longer to import than all else.
    from tinyprof.tui.app import LiveApp  # noqa: PLC0415
    from tinyprof.tui.feed import LiveRecording  # noqa: PLC0415

    feed = LiveRecording(title, capture, index, begin, console)
    try:
        LiveApp(feed, replace_file, signalled).run()
    finally:
        feed.join()
    if feed.crash:
        raise feed.crash
    assert feed.recording
    return feed.recording
