# SPDX-License-Identifier: MIT
"""The files of a root filesystem: indexed, read, named, and found again after they have
changed."""
