# SPDX-License-Identifier: MIT
"""Chooses a compressor: an effort in, a function from a page to its zlib stream out.

Any zlib reader takes the streams. One compressor gives the same bytes for the same page at any
time.
"""

from __future__ import annotations

from collections.abc import Callable

import deflate

BEST_LEVEL = 12
QUICK_PASSES, ALL_PASSES = 5, 15
"""Passes of Zopfli over one page, for level 12 and for --zopfli. More passes gain next to
nothing."""

Compress = Callable[[bytes], bytes]


def choose_compressor(level: int, zopfli: bool) -> Compress:
    """The compressor of an effort.

    1. With `zopfli`: the smaller block of libdeflate's best and of many passes of Zopfli, very
       slow.
    2. For level 12: the smaller block of libdeflate's best and of a few passes of Zopfli.
    3. For any other level: libdeflate at that level.
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
    """The name under which blocks of this compressor may be kept. It differs where blocks may."""
    if not zopfli and level < BEST_LEVEL:
        return f"deflate-{deflate.__version__}-{level}"
    from zopfli import __version__ as version  # noqa: PLC0415 - other builds do not wait for it

    return f"deflate-{deflate.__version__}-zopfli-{version}-{'all' if zopfli else 'quick'}"
