# SPDX-License-Identifier: MIT
"""The house keeps its rules: words with one meaning, rooms of a size that one can look over.

docs/glossary.md has the words, CONTRIBUTING.md the sizes.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "host/tinyprof"
SOURCES = sorted(HOST.rglob("*.py"))

RETIRED = {
    "heard": "received, on_events, take or has_data",
    "unheard": "silent",
    "deaf": "the target does not hear us, or there is no target",
    "undone": "original_of",
    "split_runs": "split_boots or split_segment_offers",
    "Order": "Command",
    "orders": "commands",
    "FrameOrder": "FrameSequence",
    "order_text": "command_text",
    "Symbol": "NamedRange",
    "Limits": "Thresholds or StopAfter",
    "Begin_": "BeginRecording",
    "Place": "SeekPoint or TablePlace",
    "RunFacts": "BootFacts",
    "RunPages": "BootPages",
    "run_text": "boot_text",
    "profile_of_run": "profile_of_boot",
    "count_temperatures": "nothing: it was dead",
    **dict.fromkeys(("utils", "helpers", "common", "manager"), "a noun of the field"),
}
"""Names that had two meanings, or none; and what says it now."""

FUNCTION_LINES, MODULE_LINES = 50, 400
TOP_MAX, ROOM_MIN, ROOM_MAX = 20, 3, 9
"""Things at the top, and files in a room. Most rooms have four or more."""


def names_in(path: Path) -> Iterator[tuple[str, int]]:
    """Every name that a module defines, binds or takes, with its line."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node.lineno
            case ast.Name(ctx=ast.Store()):
                yield node.id, node.lineno
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr, node.lineno
            case ast.arg():
                yield node.arg, node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(HOST)))
def test_no_retired_word_is_a_name_again(path: Path) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}; say {RETIRED[name.strip('_')]}"
        for name, line in [*names_in(path), (path.stem, 1)]
        if name.strip("_") in RETIRED
    ]
    assert found == []


def test_no_two_public_classes_share_a_name() -> None:
    homes = defaultdict(list)
    for path in SOURCES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path.relative_to(HOST)))
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(HOST)))
def test_modules_and_functions_can_be_looked_over(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MODULE_LINES
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    ]
    assert long == []


def test_each_folder_has_few_things_in_it() -> None:
    top = [path for path in HOST.iterdir() if not path.name.startswith("__")]
    assert len(top) <= TOP_MAX
    rooms = [init.parent for init in HOST.rglob("*/__init__.py")]
    counts = {
        str(room.relative_to(HOST)): sum(
            path.is_file() and path.name != "__init__.py" for path in room.iterdir()
        )
        for room in rooms
    }
    counts.pop("cli/commands")
    assert {
        room: count for room, count in counts.items() if not ROOM_MIN <= count <= ROOM_MAX
    } == {}


def test_every_room_has_a_sign_on_its_door() -> None:
    for room in HOST.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(room.read_text())), room
