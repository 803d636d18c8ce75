# SPDX-License-Identifier: MIT
"""Parts of `tinyprof build`: its words, the cache of its blocks, the text about its result."""
