# SPDX-License-Identifier: MIT
"""Reports of profiles and plans: text, JSON fields or HTML out. No I/O."""
