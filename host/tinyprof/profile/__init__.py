# SPDX-License-Identifier: MIT
"""The used pages of a root filesystem, file by file, and how several profiles become one.

docs/profile-format.md describes the text that profiles are kept in.
"""
