# SPDX-License-Identifier: MIT
"""An app whose short messages do not pile up: the log has all warnings anyway."""

from __future__ import annotations

from textual.app import App
from textual.notifications import Notify

TOASTS_MAX = 3
"""Messages that are visible at a time at most."""


class QuietApp(App[None]):
    """Shows each message once, and only the newest few."""

    def on_notify(self, event: Notify) -> None:
        """Leave a message out that is visible already, and make room for a new one."""
        visible = list(self._notifications)
        if any(it.message == event.notification.message for it in visible):
            event.prevent_default()
        elif len(visible) >= TOASTS_MAX:
            self.clear_notifications()
