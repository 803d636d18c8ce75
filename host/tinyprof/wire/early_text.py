# SPDX-License-Identifier: MIT
"""The text that a target prints, as soon as it can be told from frames, each byte once.

Events and the decoder's unfinished stretch come in. Text goes out. The decoder itself calls a
stretch text only when a zero has ended it, and a target without an agent never sends one.
"""

from __future__ import annotations

from collections.abc import Iterable

from tinyprof.wire.frames import (
    FRAME_MAX,
    ConsoleText,
    CorruptFrame,
    Event,
    is_text,
    mostly_text,
)


class EarlyText:
    """Follows one line. It remembers which text of the unfinished stretch it has told."""

    def __init__(self) -> None:
        self._told = b""

    def take(self, events: Iterable[Event], pending: bytes, *, is_quiet: bool) -> bytes:
        """Return the text that is new with this read.

        1. Text that a zero has ended, without the part that was told before.
        2. Whole lines of the unfinished stretch.
        3. All of it if the line `is_quiet`, since a prompt has no end.

        A frame is no text from its first bytes on: its second byte is the head of a msgpack array.
        """
        found = [
            self._rest_of(event.data)
            for event in events
            if isinstance(event, ConsoleText)
            or (isinstance(event, CorruptFrame) and self._forget(event.data))
        ]
        if not pending.startswith(self._told):
            self._told = b""
        end = len(pending) if is_quiet else pending.rfind(b"\n") + 1
        new = pending[len(self._told) : end]
        # A stray byte at power-on hides no boot messages. Only a frame is short.
        no_frame = len(pending) > FRAME_MAX + 2 and mostly_text(new)
        if len(new) > (not self._told) and (is_text(new) or no_frame):
            found.append(new)
            self._told = pending[:end]
        return b"".join(found)

    def _rest_of(self, data: bytes) -> bytes:
        told, self._told = self._told, b""
        return data[len(told) :] if data.startswith(told) else data

    def _forget(self, data: bytes) -> bool:
        """Note that a stretch turned out to be no text. Its told part is not told again."""
        if data.startswith(self._told):
            self._told = b""
        return False
