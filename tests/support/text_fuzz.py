# SPDX-License-Identifier: MIT
"""Feeds mutated profiles and plan files to their readers and to what uses them: failures out.

1. A case is made from its number alone, so any of them can be made again.
2. Most cases are changed as values, so that they stay JSON and get far. The others are changed as
   text.
3. A profile that is read must be reported, merged, weighted and written, and read back as it was.
   A plan that is read must be written, and read back as it was.
4. Calls are counted for every STEPS_EVERY-th case, and the memory of the process is limited.
"""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from support.cost import steps
from support.edited_texts import edited_once
from support.image_fuzz import SECONDS_MAX, STEPS_EVERY, Failure, limit_memory, memory_limit
from tinyprof.errors import TinyprofError
from tinyprof.plan.plan_file import dump_plan, load_plan
from tinyprof.plan.what_if import what_if
from tinyprof.profile.merge import merge_profiles, weighted
from tinyprof.profile.model import LOSSES, Profile
from tinyprof.profile.tprof import dump_profile, load_profile
from tinyprof.report.differences import differences
from tinyprof.report.export.pages_csv import csv_lines
from tinyprof.report.html.page import html_report
from tinyprof.report.summary import summarize, summary_lines

IMAGES = ("0000000a/1/2/3", "0000000b/0/9/1")
SIZES = (1, 4096, 30_000, (1 << 24) - 1)
NUMBERS = (-1, 0, 1, 2, 9, 4095, 4096, 1 << 24, (1 << 32) - 1, 1 << 32, (1 << 53) - 1, 1 << 53)
VALUES: tuple[Any, ...] = (
    *NUMBERS,
    *(None, True, 0.5, "", "x", "xr", "*", "/", "/a\0b", "\udcff", [], {}, [[]], [0, 4095]),
    *(IMAGES[0], "f" * 16, "f" * 64, [[[[[]]]]], "e" * 300),
)

STEPS_A_BYTE = 60
"""Calls for each byte of a text, beyond STEPS_FREE of them."""

STEPS_FREE = 200_000
"""Calls. The page of a report has maps of 4,096 cells for files of a few bytes of text."""


def profile_fields(rng: random.Random) -> dict[str, Any]:
    """The fields of a small profile that is right."""
    boots = []
    for image in IMAGES:
        phases = [["", 1, 4, 9, False], ["steady", 5, 20, 3, True]]
        lost = {name: rng.randrange(3) for name in LOSSES}
        boot = {"image": image, "kernel": "6.1", "epochs": 24, "weight": rng.randrange(1, 4)}
        boots.append({**boot, "phases": phases, "lost": lost})
    links = [["/sh", "bin/0", list(IMAGES), [9, 7, 2, 20, 2, 6, 1]]]
    fields = {"format": 2, "unknown_pages": 0, "links": links, "runs": boots}
    return {**fields, "files": list(map(_file, range(3)))}


def _file(number: int) -> dict[str, Any]:
    size = SIZES[number + 1]
    once, often = [1, 0, 1, 1, 1, 1, 1], [9, 7, 2, 20, 2, 6, 1]
    seen = ({"x": often}, {"f": once}, {"x": often, "r": once, "xr": often})
    pages = range(min(3, -(-size // 4096)))
    return {
        "path": f"/bin/{number}",
        "size": size,
        "sha256": f"{number:064x}",
        "images": list(IMAGES),
        "processes": 3,
        "mappings": [[0, len(pages), 9, 7, 12, 8, 2]],
        "pages": [[page, f"{page:016x}", seen[page % 3]] for page in pages],
        "symbols": [["main", 0, size], ["~abc", 8, 1]],
    }


def plan_fields(rng: random.Random) -> dict[str, Any]:
    """The fields of a small plan that is right."""
    return {"format": 1, "pages": {"/a": [0, [2, rng.randrange(2, 9)]], "/b": [[0, 4095]]}}


def mutate(fields: Any, rng: random.Random) -> str:
    """The text with one to five values changed, or with one to three places overwritten."""
    kind = rng.random()
    if kind < 0.2:
        return edited_once(json.dumps(fields), rng)
    changed = copy.deepcopy(fields)
    for _ in range(rng.randrange(1, 6)):
        if kind < 0.6 and "files" in fields:
            _change_gently(changed, rng)
        else:
            _change(changed, rng)
    return json.dumps(changed)


def _change_gently(fields: dict[str, Any], rng: random.Random) -> None:
    """Change something that may have any value, or nearly any."""
    boot, file = rng.choice(fields["runs"]), rng.choice(fields["files"])
    anywhere = rng.choice((fields, boot, file))
    match rng.randrange(7):
        case 0:
            anywhere[f"new {rng.randrange(3)}"] = copy.deepcopy(rng.choice(VALUES))
        case 1:
            file["path"] = rng.choice(("/", "/bin/0", "/\udcff", "/a" * 900, "/é\n"))
        case 2:
            file["symbols"].append(["~1f", rng.choice((0, 1, 4096)), rng.choice((0, 1))])
        case 3:
            file["images"] = rng.choices(IMAGES, k=rng.randrange(4))
        case 4:
            boot["weight"] = rng.choice((1, 2, 333, 334, 1000))
        case 5:
            fields["unknown_pages"] = rng.choice(NUMBERS)
        case _:
            page = rng.choice(file["pages"])
            page[1] = rng.choice(("", "0" * 16, "f" * 16))


def _change(value: Any, rng: random.Random) -> None:
    """Change, take away or repeat one of the values somewhere in `value`."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(value[key], dict | list) and value[key] and rng.random() < 0.8:
            value = value[key]
            continue
        match rng.randrange(5):
            case 0:
                del value[key]
            case 1 if isinstance(value, list):
                value.insert(key, copy.deepcopy(value[key]))
            case 1:
                value[f"new {rng.randrange(9)}"] = value[key]
            case 2 if type(value[key]) is int:
                value[key] += rng.choice((-1, 1))
            case _:
                value[key] = copy.deepcopy(rng.choice(VALUES))
        return


def try_profile(text: str) -> str:
    """The fault in the treatment of a profile's text; empty if there is none."""
    try:
        profile = load_profile(text)
    except TinyprofError:
        return ""
    if load_profile(dump_profile(profile)) != profile:
        return "a profile is not read back as it was"
    list(summary_lines(summarize(profile), verbose=True))
    list(csv_lines(profile))
    html_report(profile, {})
    what_if(profile, {}).points(3)
    differences(profile, profile)
    return _merged(profile)


def _merged(profile: Profile) -> str:
    try:
        twice = dump_profile(merge_profiles([profile, weighted(profile, 3)]))
        if twice != dump_profile(merge_profiles([weighted(profile, 3), profile])):
            return "merging depends on the order"
    except TinyprofError:
        return ""
    load_profile(twice)
    return ""


def try_plan(text: str) -> str:
    """The fault in the treatment of a plan's text; empty if there is none."""
    try:
        plan = load_plan(text)
    except TinyprofError:
        return ""
    return "" if load_plan(dump_plan(plan)) == plan else "a plan is not read back as it was"


def _run(
    fields: Callable[[random.Random], dict[str, Any]],
    try_text: Callable[[str], str],
    numbers: range,
) -> tuple[int, list[Failure]]:
    failures: list[Failure] = []
    limit_memory(memory_limit(20_000))
    for number in numbers:
        rng = random.Random(number)
        text = mutate(fields(rng), rng)
        what = _tried(partial(try_text, text), len(text), number)
        if what:
            failures.append(Failure(number, what))
    return len(numbers), failures


def _tried(action: Callable[[], str], size: int, number: int) -> str:
    found: list[str] = []
    began = time.process_time()
    try:
        if number % STEPS_EVERY == 0:
            calls = steps(lambda: found.append(action()))
            if calls > STEPS_FREE + STEPS_A_BYTE * size:
                return f"{calls} calls for {size} characters"
        else:
            found.append(action())
    except Exception as error:
        return repr(error)
    if time.process_time() - began > SECONDS_MAX:
        return "took too long"
    return found[0]


def run_profiles(numbers: range) -> tuple[int, list[Failure]]:
    """Try these profiles. Gives their number, and the failures."""
    return _run(profile_fields, try_profile, numbers)


def run_plans(numbers: range) -> tuple[int, list[Failure]]:
    """Try these plan files. Gives their number, and the failures."""
    return _run(plan_fields, try_plan, numbers)
