# SPDX-License-Identifier: MIT
"""The loop of `tinyprof optimize`: record, plan, build, boot again and compare."""
