# SPDX-License-Identifier: MIT
"""Makes images: a tree and the pages to store in place in, bytes out."""
