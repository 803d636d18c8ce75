# SPDX-License-Identifier: MIT
"""The console of the target: what it printed, and, if somebody asks for it, typing to it.

Keys come in while somebody types, and bytes for the target go out as messages. What the target
echoes comes back as any other text.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from tinyprof.tui.panes.text_pane import LinePane

LEAVE = "ctrl+right_square_bracket"
"""The key that ends typing. Every other key goes to the target."""

TYPING = " typing to the target · Ctrl-] ends it · every other key goes there"
BYTES = {
    "enter": b"\r",
    "tab": b"\t",
    "backspace": b"\x7f",
    "escape": b"\x1b",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "delete": b"\x1b[3~",
    "pageup": b"\x1b[5~",
    "pagedown": b"\x1b[6~",
}
"""Keys, and the bytes that a terminal sends for them."""


def bytes_of(key: str, character: str | None) -> bytes:
    """Return the bytes that a terminal sends for a key; none for a key that has no bytes. A zero
    is left out: it would end a frame."""
    if key in BYTES:
        return BYTES[key]
    letter = key.removeprefix("ctrl+")
    if letter != key and len(letter) == 1 and letter.isascii() and letter.isalpha():
        return bytes([ord(letter.lower()) & 0x1F])
    return (character or "").replace("\0", "").encode()


class ConsolePane(LinePane):
    """Shows the target's text, with a line for what its keys do while somebody types."""

    class Typed(Message):
        """Bytes for the target."""

        def __init__(self, data: bytes) -> None:
            super().__init__()
            self.data = data

    class TypingChanged(Message):
        """Somebody begins to type, or has stopped."""

        def __init__(self, *, on: bool) -> None:
            super().__init__()
            self.on = on

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(LEAVE, "stop_typing", "stop typing", show=False)
    ]

    def __init__(self) -> None:
        super().__init__("console", "the target has printed nothing")
        self.is_typing = False

    def begin_typing(self) -> None:
        """Send keys to the target from now on."""
        if not self.is_typing:
            self.is_typing = True
            self.post_message(self.TypingChanged(on=True))
        self.refresh()

    def action_stop_typing(self) -> None:
        """Keys are those of the view again."""
        if self.is_typing:
            self.is_typing = False
            self.post_message(self.TypingChanged(on=False))
        self.refresh()

    def on_blur(self) -> None:
        """A click elsewhere ends typing, too."""
        self.action_stop_typing()

    def on_key(self, event: events.Key) -> None:
        """Send a key to the target."""
        if not self.is_typing or event.key == LEAVE:
            return
        event.stop()
        event.prevent_default()
        if data := bytes_of(event.key, event.character):
            self.post_message(self.Typed(data))

    def on_paste(self, event: events.Paste) -> None:
        """Send pasted text to the target."""
        if self.is_typing:
            event.stop()
            text = event.text.replace("\r\n", "\r").replace("\n", "\r").replace("\0", "")
            self.post_message(self.Typed(text.encode()))

    def render_line(self, y: int) -> Strip:
        # The prompt stands in the last line, so this one is the first.
        if not self.is_typing or y:
            return super().render_line(y)
        style = self.rich_style + Style(reverse=True, bold=True)
        return Strip([Segment(TYPING, style)]).adjust_cell_length(self.size.width, style)
