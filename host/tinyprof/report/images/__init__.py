# SPDX-License-Identifier: MIT
"""Compares images: an account of each, the changes between two, and limits that a change may not
exceed.

`account` reads an image, or what an earlier run saved of one. `comparison` finds the changes,
`limits` judges them, and `text` puts them into words, Markdown or JSON. The other modules do no
I/O.
"""
