# SPDX-License-Identifier: MIT
"""rootfs."""
