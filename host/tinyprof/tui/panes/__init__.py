# SPDX-License-Identifier: MIT
"""What stands between header and footer of the live view, one pane a module."""
