# SPDX-License-Identifier: MIT
"""JSON that anybody may have edited: a text in, its values out, or the fault and its place.

Profiles and plan files are read through here. Nothing here knows their fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

VALUES_MAX = 2_000_000
"""Lists and objects in one text, at most. An empty one takes two bytes of text and about 64 of
memory."""


DEPTH_MAX = 64
"""Lists and objects in one another, at most, in fields that this version does not know."""


class Broken(ValueError):
    """A fault of a text, and its place."""


def read_json(text: str, size_max: int) -> Any:
    """The values of a text of at most `size_max` characters.

    Memory is bounded: a text takes up to 14 times its length, and 128 MB. Raises ValueError or
    RecursionError; fault_in() puts them in words.
    """
    refuse_large(text, size_max)
    return json.loads(text, object_pairs_hook=_unique)


def refuse_large(text: str, size_max: int) -> None:
    """Raise Broken for a text that read_json() does not take for its size. A writer asks too."""
    if len(text) > size_max:
        raise Broken(f"{len(text)} characters; at most {size_max} are read")
    if text.count("[") + text.count("{") > VALUES_MAX:
        raise Broken(f"it has over {VALUES_MAX} lists and objects")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's fields. Of two with one name, json would silently take the last."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Broken("a name stands twice in one object")
    return fields


def refuse_deep(value: Any) -> None:
    """Raise Broken if lists and objects are nested over DEPTH_MAX deep in a value that is kept.

    Such a value could be read, and then not be written again.
    """
    depth, level = 0, [value]
    while level:
        level = [
            item
            for it in level
            if isinstance(it, dict | list)
            for item in (it.values() if isinstance(it, dict) else it)
        ]
        depth += 1
        if depth > DEPTH_MAX:
            raise Broken("its JSON is nested too deep")


def fault_in(error: ValueError | RecursionError) -> str:
    """The fault of a text in words, by the exception that reading it has raised."""
    if isinstance(error, Broken):
        return str(error)
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON at line {error.lineno}, column {error.colno}"
    return "its JSON is nested too deep, or has too large a number"


def version_for(fields: Mapping[str, Any]) -> str:
    """The version that reads an object of a later format, which names it in `tinyprof`."""
    found, needed = fields["format"], fields.get("tinyprof")
    return (
        f"tinyprof {needed:.20}"
        if isinstance(needed, str)
        else f"a tinyprof that reads {found!r:.20}"
    )
