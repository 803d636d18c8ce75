# SPDX-License-Identifier: MIT
"""The live view: a feed of news about a recording in, a screen out. Only this package imports
Textual, and it is imported only where the view opens. It holds nothing that a report would
need."""
