# SPDX-License-Identifier: MIT
"""News of a recording, running or finished, for whatever shows it. No screen here."""
