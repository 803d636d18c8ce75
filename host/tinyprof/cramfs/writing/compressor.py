# SPDX-License-Identifier: MIT
"""Compressors: an effort in, a function from a page to its zlib stream out, and a name for what it
gives.

All give what any zlib reader takes, and for one page always the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import deflate

BEST_LEVEL = 12
QUICK_PASSES, ALL_PASSES = 5, 15
"""Of Zopfli over one page, for level 12 and for --zopfli; more gain next to nothing."""

Compress = Callable[[bytes], bytes]


def choose_compressor(level: int, zopfli: bool) -> Compress:
    """libdeflate at `level`; for level 12 a few passes of Zopfli too, and the smaller block of
    both.

    With `zopfli`, all that Zopfli can do, which is very slow.
    """
    if not zopfli and level < BEST_LEVEL:
        return lambda page: bytes(deflate.zlib_compress(page, level))
    from zopfli.zlib import compress  # noqa: PLC0415 - other builds do not wait for it

    passes = ALL_PASSES if zopfli else QUICK_PASSES

    def best(page: bytes) -> bytes:
        # Zopfli spends most of its time on where to split blocks, and a page hardly needs that.
        slow: bytes = compress(page, numiterations=passes, blocksplitting=zopfli)
        return min(bytes(deflate.zlib_compress(page, BEST_LEVEL)), slow, key=len)

    return best


def compressor_name(level: int, zopfli: bool) -> str:
    """Under which blocks of this compressor may be kept: it differs where the blocks may."""
    if not zopfli and level < BEST_LEVEL:
        return f"deflate-{deflate.__version__}-{level}"
    from zopfli import __version__ as version  # noqa: PLC0415 - other builds do not wait for it

    return f"deflate-{deflate.__version__}-zopfli-{version}-{'all' if zopfli else 'quick'}"
