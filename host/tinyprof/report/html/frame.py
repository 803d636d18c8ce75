# SPDX-License-Identifier: MIT
"""The frame of a page: parts in, one HTML document that loads nothing out; and words for names
and figures in it.

Names are untrusted. Every one of them goes through safe().
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from typing import Any

from tinyprof.report.origin import Origin
from tinyprof.tables.columns import kib, signed_kib, signed_percent
from tinyprof.text import counted, shown


def document(title: str, body: Iterable[str], data: Any) -> str:
    """The document. `data` goes to the script as JSON that cannot end its element."""
    style, script = _asset("report.css"), _asset("report.js")
    # The script sets the place of its tip in a style attribute: 'unsafe-inline' allows that.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src '{_hash(script)}'"
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>",
            *body,
            f'<script type="application/json" id="pages">{text}</script>',
            f"<script>{script}</script>\n</body>\n</html>\n",
        ]
    )


def _asset(name: str) -> str:
    return files("tinyprof.report.html").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def safe(text: str) -> str:
    """A name as text of the page: escaped, with invisible characters spelt out."""
    return html.escape(shown(text))


def section(name: str, title: str, parts: Iterable[str], note: str = "") -> Iterator[str]:
    """A part of the page with its head. `note`: a sentence below the head, as HTML."""
    yield f'<section aria-labelledby="{name}-head"><h2 id="{name}-head">{title}</h2>'
    if note:
        yield f'<p class="dim">{note}</p>'
    yield from parts
    yield "</section>"


def table(name: str, heads: Sequence[str], rows: Iterable[str], ident: str = "") -> Iterator[str]:
    """A table of rows that are HTML. It scrolls by itself where the screen is too narrow."""
    mark = f' id="{ident}"' if ident else ""
    yield f'<div class="scroll" role="region" tabindex="0" aria-label="table: {name}">'
    yield f"<table{mark}><thead><tr>{''.join(heads)}</tr></thead><tbody>"
    yield from rows
    yield "</tbody></table></div>"


def heads(*names: str) -> list[str]:
    """Heads of columns of figures."""
    return [f'<th scope="col">{name}</th>' for name in names]


def size(number: int) -> str:
    """Bytes in whole KiB."""
    return f"{kib(number)} KiB"


def signed_size(number: int) -> str:
    """A change in bytes in whole KiB."""
    return f"{signed_kib(number)} KiB"


def change(number: int, before: int) -> str:
    """A change in percent without places; empty where nothing is known before."""
    if not before:
        return ""
    if abs(number) * 200 < before:
        return signed_percent(number, before)
    percent = round(100 * number / before)
    return f"{'−' if percent < 0 else '+'}{abs(percent)} %"


def origin_words(origin: Origin) -> Iterator[str]:
    """The first file's name and date, the number of other files, and the program, in words."""
    if origin.files:
        first, *others = origin.files
        yield first.name + (f" and {counted(len(others), 'more file')}" if others else "")
        if first.began:
            yield f"recorded {_date(first.began)}"
    if origin.version:
        yield f"tinyprof {origin.version}"


def origin_parts(origin: Origin, facts: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Where the page comes from, as a list of names and values. `facts`: more of them."""
    yield '<dl class="origin">'
    for it in origin.files:
        when = f"recorded {_date(it.began)}" if it.began else "no date in the file"
        port = f" on {it.port}" if it.port else ""
        recorder = f", by tinyprof {it.recorder}" if it.recorder else ""
        yield f"<dt>{'capture' if it.began else 'file'}</dt>"
        yield f"<dd>{safe(it.name)}: {safe(when + port + recorder)}</dd>"
    if origin.image:
        known = f", {size(origin.image_size)}" if origin.image_size else ""
        yield f"<dt>image</dt><dd>{safe(origin.image)}{known}</dd>"
    for name, value in facts:
        yield f"<dt>{name}</dt><dd>{safe(value)}</dd>"
    if origin.version:
        yield f"<dt>made by</dt><dd>tinyprof {safe(origin.version)}</dd>"
    if origin.command:
        yield f'<dt>command</dt><dd class="mono">{safe(origin.command)}</dd>'
    yield "</dl>"


def _date(began: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(began))
    except (OverflowError, ValueError, OSError):
        return "at a time that no calendar has"
