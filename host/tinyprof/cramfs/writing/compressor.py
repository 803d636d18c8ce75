# SPDX-License-Identifier: MIT
"""Chooses a compressor: its name and an effort in, a function from a page to its zlib stream out.

Any zlib reader takes the streams. One compressor of one version gives the same bytes for the same
page at any time.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Literal

from tinyprof.cramfs.format import CramfsError
from tinyprof.cramfs.streams import HAS_LIBDEFLATE, deflate

CompressorName = Literal["libdeflate", "zlib"]
COMPRESSORS: tuple[CompressorName, ...] = ("libdeflate", "zlib")

BEST_LEVEL, ZLIB_BEST_LEVEL = 12, 9
QUICK_PASSES, ALL_PASSES = 5, 15
"""Passes of Zopfli over one page, for level 12 and for --zopfli. More passes gain next to
nothing."""

Compress = Callable[[bytes], bytes]


class CompressorError(CramfsError):
    """A compressor that is not installed, or a level that it has not."""


def default_compressor() -> CompressorName:
    """libdeflate, which is faster and makes smaller blocks; zlib where it is not installed."""
    return "libdeflate" if HAS_LIBDEFLATE else "zlib"


def choose_compressor(
    level: int, zopfli: bool, compressor: CompressorName | None = None
) -> Compress:
    """The compressor of an effort. Without a name it is default_compressor().

    1. With `zopfli`: the smaller block of the compressor's best and of many passes of Zopfli, very
       slow.
    2. For level 12: the smaller block of the compressor's best and of a few passes of Zopfli.
    3. For any other level: the compressor at that level. zlib has the levels 1 to 9.

    Raises CompressorError.
    """
    plain = _plain(level, zopfli, compressor or default_compressor())
    if not zopfli and level < BEST_LEVEL:
        return plain
    _zopfli_version()
    from zopfli.zlib import compress  # noqa: PLC0415 - other builds do not wait for it

    passes = ALL_PASSES if zopfli else QUICK_PASSES

    def best(page: bytes) -> bytes:
        # Zopfli spends most of its time on where to split blocks, and a page hardly needs that.
        slow: bytes = compress(page, numiterations=passes, blocksplitting=zopfli)
        return min(plain(page), slow, key=len)

    return best


def _plain(level: int, zopfli: bool, compressor: CompressorName) -> Compress:
    """The compressor by itself, at its best level where Zopfli works beside it."""
    best = zopfli or level == BEST_LEVEL
    if compressor == "zlib":
        if level > ZLIB_BEST_LEVEL and not best:
            raise CompressorError(
                f"zlib has no level {level}", "give a level from 1 to 9, or 12 for Zopfli"
            )
        of_zlib = ZLIB_BEST_LEVEL if best else level
        return lambda page: zlib.compress(page, of_zlib)
    if not HAS_LIBDEFLATE:
        raise CompressorError(
            "libdeflate is not installed here",
            "install it with: pip install deflate; or use --compressor zlib",
        )
    of_libdeflate = BEST_LEVEL if best else level
    return lambda page: bytes(deflate.zlib_compress(page, of_libdeflate))


def _zopfli_version() -> str:
    try:
        from zopfli import __version__ as version  # noqa: PLC0415 - others do not wait for it
    except ModuleNotFoundError:
        raise CompressorError(
            "Zopfli, for level 12 and --zopfli, is not installed here",
            "install it with: pip install zopfli; or give a level up to 9",
        ) from None
    return str(version)


def compressor_version(compressor: CompressorName) -> str:
    """The version of a compressor. Another version may make other blocks."""
    if compressor == "zlib":
        return zlib.ZLIB_RUNTIME_VERSION
    return str(deflate.__version__) if HAS_LIBDEFLATE else ""


def compressor_name(level: int, zopfli: bool, compressor: CompressorName | None = None) -> str:
    """The name under which blocks of this compressor may be kept. It differs where blocks may.

    Raises CompressorError.
    """
    name = compressor or default_compressor()
    kept = f"{'deflate' if name == 'libdeflate' else name}-{compressor_version(name)}"
    if not zopfli and level < BEST_LEVEL:
        return f"{kept}-{level}"
    return f"{kept}-zopfli-{_zopfli_version()}-{'all' if zopfli else 'quick'}"
