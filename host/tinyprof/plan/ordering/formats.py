# SPDX-License-Identifier: MIT
"""Link orders as text for linkers: entries in, the bytes of an order file out.

| format | linker and option |
|---|---|
| lld | lld, `--symbol-ordering-file=FILE`: a symbol a line |
| gold | gold, `--section-ordering-file=FILE`: an input section a line, as a glob |
| ld | GNU ld, `-T FILE`: a linker script that adds to the linker's own |
| names | people and other tools: a symbol a line |

A name comes from a file and is untrusted. A name that some linker would take for something else
is left out of all formats. Nothing is escaped, because the linkers' rules for escapes differ.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, get_args

from tinyprof.plan.ordering.order import CLASSES, OrderedName
from tinyprof.text import shown

Format = Literal["lld", "gold", "ld", "names"]
FORMATS: tuple[Format, ...] = get_args(Format)

_UNSAFE = re.compile(r'[\x00-\x1f\x7f"\\*?\[\]]|^[#\s]|\s$')
"""Ends of lines, the linker script's quotes, wildcards of globs, comments, and blanks at the
ends."""

_NUMBERED = re.compile(r"\.(?:constprop|isra|part|lto_priv)\.[0-9]+$")
"""A clone whose number changes with the program's text."""

PREFIXES = (".text.", ".text.hot.", ".text.startup.", ".text.exit.")
"""Sections in which GCC and Clang put a function NAME: each with NAME behind it."""

UNLIKELY, DATA = ".text.unlikely.", ".rodata."


def is_safe(name: str) -> bool:
    """Whether every linker takes a name as it is."""
    return bool(name) and not _UNSAFE.search(name)


def render(form: Format, path: str, entries: Sequence[OrderedName]) -> tuple[bytes, list[str]]:
    """The order file of the program at `path`, and the names that are left out of it."""
    kept = [entry for entry in entries if _all_safe(entry)]
    left = [entry.name for entry in entries if not _all_safe(entry)]
    head = f"tinyprof order --format {form}: {shown(path)}".replace("*/", "* /")
    text = "".join(f"{line}\n" for line in _WRITERS[form](head, kept))
    return text.encode("utf-8", "surrogateescape"), left


def names_in(data: bytes) -> dict[str, list[str]]:
    """The names of each class in an order file that render() wrote, by the class's name.

    Anything else in the file is passed over, because people edit such files.
    """
    found: dict[str, list[str]] = defaultdict(list)
    kind = ""
    is_script = data.startswith(b"/*")
    for raw in data.decode("utf-8", "surrogateescape").split("\n"):
        line = raw.strip(" \r")
        mark = re.fullmatch(r"(?:#|/\*) class (\w+)(?: \*/)?", line)
        if mark:
            kind = mark[1]
        elif kind and (line.startswith('*("') if is_script else line and line[0] != "#"):
            name = _name_of(line)
            if name not in found[kind][-1:]:
                found[kind].append(name)
    return found


def _name_of(line: str) -> str:
    """The name that a line of an order file is about. Gold and ld have sections and globs."""
    return name_of_section(line.split('"')[1] if line.startswith('*("') else line)


def name_of_section(section: str) -> str:
    """The function or object in an input section; the section's own name where it has none."""
    for prefix in (*PREFIXES[1:], UNLIKELY, PREFIXES[0], DATA):
        if section.startswith(prefix):
            return section.removeprefix(prefix)
    return section


def line_name(form: Format, name: str) -> str:
    """The name by which names_in() finds an entry again."""
    return name if form in ("lld", "names") else without_number(name).removesuffix(".cold")


def _all_safe(entry: OrderedName) -> bool:
    return all(map(is_safe, (entry.name, *entry.sections)))


def sections_of(entry: OrderedName) -> list[str]:
    """The input sections that may hold a function or an object, as globs.

    A linker map tells them. Without one, each section is named in which a compiler may have put
    it. A name that no section has does no harm.
    """
    if entry.sections:
        return [without_number(section) for section in entry.sections]
    if not entry.code:
        return [f"{DATA}{without_number(entry.name)}"]
    name, cold, _ = entry.name.partition(".cold")
    if cold:
        return [f"{UNLIKELY}{without_number(name)}"]
    prefixes = PREFIXES if entry.split else (*PREFIXES, UNLIKELY)
    return [f"{prefix}{without_number(name)}" for prefix in prefixes]


def without_number(name: str) -> str:
    """A name with * for the number of a clone, which changes with the program's text."""
    found = _NUMBERED.search(name)
    return f"{name[: name.rindex('.')]}.*" if found else name


def _symbols(head: str, entries: Iterable[OrderedName]) -> Iterator[str]:
    yield f"# {head}"
    for kind, entry in _by_class(entries):
        yield f"# class {kind}" if entry is None else entry.name


def _sections(head: str, entries: Iterable[OrderedName]) -> Iterator[str]:
    yield f"# {head}"
    done: set[str] = set()
    for kind, entry in _by_class(entries):
        if entry is None:
            yield f"# class {kind}"
            continue
        for section in sections_of(entry):
            if section not in done:
                done.add(section)
                yield section


def _script(head: str, entries: Sequence[OrderedName]) -> Iterator[str]:
    yield f"/* {head} */"
    for code, output in ((True, ".text"), (False, ".rodata")):
        chosen = [entry for entry in entries if entry.code is code]
        if not chosen:
            continue
        yield "SECTIONS"
        yield "{"
        yield f"  {output}.tinyprof :"
        yield "  {"
        for kind, entry in _by_class(chosen):
            if entry is None:
                yield f"    /* class {kind} */"
            else:
                sections = " ".join(f'"{section}"' for section in sections_of(entry))
                yield f"    *({sections})"
        yield "  }"
        yield "}"
        yield f"INSERT BEFORE {output};"


def _by_class(entries: Iterable[OrderedName]) -> Iterator[tuple[str, OrderedName | None]]:
    """The entries, each class behind its name."""
    listed = list(entries)
    for kind in CLASSES:
        of_class = [entry for entry in listed if entry.temperature is kind]
        if of_class:
            yield kind.value, None
            for entry in of_class:
                yield kind.value, entry


_WRITERS: dict[Format, Callable[[str, Sequence[OrderedName]], Iterator[str]]] = {
    "lld": _symbols,
    "gold": _sections,
    "ld": _script,
    "names": _symbols,
}
