# SPDX-License-Identifier: MIT
"""JSON that anybody may have edited: what is wrong with it, in words that name the place.

What profiles and plan files have in common as texts. Nothing here knows what is in them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class Broken(ValueError):
    """What is wrong, and in which part."""


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's fields, for json.loads(object_pairs_hook=): the last of two would silently
    win."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Broken("a name stands twice in one object")
    return fields


def fault_in(error: ValueError | RecursionError) -> str:
    """What is wrong with a text, by what reading it has raised."""
    if isinstance(error, Broken):
        return str(error)
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON at line {error.lineno}, column {error.colno}"
    return "its JSON is nested too deep, or has too large a number"


def version_for(fields: Mapping[str, Any]) -> str:
    """Who reads an object of a later format: such a version says in `tinyprof` which one does."""
    found, needed = fields["format"], fields.get("tinyprof")
    return (
        f"tinyprof {needed:.20}"
        if isinstance(needed, str)
        else f"a tinyprof that reads {found!r:.20}"
    )
