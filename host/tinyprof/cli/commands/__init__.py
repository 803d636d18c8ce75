# SPDX-License-Identifier: MIT
"""One module a command. It reads words, calls a room, and prints."""
