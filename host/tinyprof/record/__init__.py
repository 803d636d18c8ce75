# SPDX-License-Identifier: MIT
"""One recording: store what arrives, count it, answer the target, and say what is wrong with the
line."""
