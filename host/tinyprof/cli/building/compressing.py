# SPDX-License-Identifier: MIT
"""The option --compressor of build and plan, and the facts about the compressor for JSON."""

from __future__ import annotations

from typing import Any

import click

from tinyprof.cramfs.writing.compressor import (
    COMPRESSORS,
    CompressorName,
    compressor_version,
    default_compressor,
)

COMPRESSOR = click.option(
    "--compressor",
    type=click.Choice(COMPRESSORS),
    help="Compressor of the pages. Name it, and pin its version, for images that are the same on "
    "every machine.  [default: libdeflate, or zlib where that is not installed]",
)


def chosen_compressor(named: CompressorName | None) -> CompressorName:
    """The compressor that the user named, else the default. Says on stderr that libdeflate, which
    is the usual default, is missing."""
    compressor = named or default_compressor()
    if named is None and compressor != "libdeflate":
        version = compressor_version(compressor)
        click.echo(
            f"tinyprof: libdeflate is not installed (pip install deflate), so {compressor} "
            f"{version} compresses; --compressor {compressor} says that this is meant",
            err=True,
        )
    return compressor


def compressor_fields(compressor: CompressorName, level: int, zopfli: bool) -> dict[str, Any]:
    """The fields for JSON: all that decides over the bytes of a compressed page."""
    version = compressor_version(compressor)
    return {"name": compressor, "version": version, "level": level, "zopfli": zopfli}
