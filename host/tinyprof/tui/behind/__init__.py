# SPDX-License-Identifier: MIT
"""Objects behind the panes: they ask the recorder and the files, and no pane waits for them."""
