# SPDX-License-Identifier: MIT
"""For all trees, plans and options: write, read, and the same tree is there, with nothing for the
checker."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from support.cramfs_cases import Case, File
from tinyprof.cramfs.format import BYTE_ORDERS, EntryKind
from tinyprof.cramfs.kernel import KERNEL_MODELS
from tinyprof.cramfs.reading.checker import check_image
from tinyprof.cramfs.reading.findings import Rule
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.pages import PAGE_SIZE, page_ranges
from tinyprof.plan.plan_file import dump_plan, load_plan

PAGES = st.one_of(
    st.just(bytes(PAGE_SIZE)),
    st.integers(0, 3).map(lambda seed: bytes([seed]) * PAGE_SIZE),
    # Pages that compression does not make smaller.
    st.integers(0, 3).map(
        lambda seed: b"".join(
            (seed << 16 | i * i * i).to_bytes(8, "big")[-4:] for i in range(1024)
        )
    ),
)
TAILS = st.one_of(st.just(b""), st.binary(max_size=40), st.just(b"t" * (PAGE_SIZE - 1)))
CONTENTS = st.tuples(st.lists(PAGES, max_size=4), TAILS).map(
    lambda parts: b"".join(parts[0]) + parts[1]
)
NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not set(name) & set(b"/\0") and name not in (b".", b"..")
)
OPTIONS = st.builds(
    WriteOptions,
    level=st.sampled_from((1, 6, 12)),
    byte_order=st.sampled_from(BYTE_ORDERS),
    kernel=st.sampled_from(KERNEL_MODELS),
    extended=st.booleans(),
    holes=st.booleans(),
    pad=st.booleans(),
    insert=st.binary(max_size=10),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    names = [os.fsdecode(name) for name in draw(st.lists(NAMES, max_size=6, unique=True))]
    case = Case(0, options=draw(OPTIONS))
    for name in names:
        content = draw(CONTENTS)
        parent = draw(st.sampled_from(["", *case.directories]))
        if draw(st.integers(0, 4)) == 0:
            case.directories.append(f"{parent}/{name}")
            continue
        case.files[f"{parent}/{name}"] = File(content, draw(st.sampled_from((0o644, 0o755))))
        pages = -(-len(content) // PAGE_SIZE)
        if pages:
            case.plan[f"{parent}/{name}"] = sorted(draw(st.sets(st.integers(0, pages - 1))))
    return case


@settings(max_examples=300, deadline=None)
@given(cases())
def test_what_is_written_is_read(case: Case) -> None:
    written = write_image(case.tree(), case.plan, case.options)
    image = read_image(written.image)
    contents = {
        entry.path: image.read(entry) for entry in image.entries if entry.kind is EntryKind.FILE
    }
    assert contents == {path: file.content for path, file in case.files.items()}
    asked = {(path, page) for path, pages in case.plan.items() for page in pages}
    placed = {(path, page) for path, pages in written.in_place.items() for page in pages}
    assert asked <= placed | {(refusal.path, refusal.page) for refusal in written.refused}
    report = check_image(written.image, case.options.kernel)
    assert report.errors == 0
    assert {finding.rule for finding in report.findings} <= {Rule.LAST_PAGE}


@settings(max_examples=50, deadline=None)
@given(cases(), st.integers(1, 4))
def test_the_number_of_threads_changes_nothing(case: Case, threads: int) -> None:
    options = {name: getattr(case.options, name) for name in WriteOptions.__dataclass_fields__}
    other = WriteOptions(**{**options, "threads": threads})
    assert (
        write_image(case.tree(), case.plan, case.options).image
        == write_image(case.tree(), case.plan, other).image
    )


@given(
    st.dictionaries(
        NAMES.map(lambda name: "/" + os.fsdecode(name)), st.sets(st.integers(0, 4095), min_size=1)
    )
)
def test_a_plan_file_says_what_the_plan_says(plan: dict[str, set[int]]) -> None:
    assert {path: set(pages) for path, pages in load_plan(dump_plan(plan)).items()} == plan


@given(st.sets(st.integers(0, 200), min_size=1))
def test_page_ranges_name_every_page(pages: set[int]) -> None:
    spelled: set[int] = set()
    for part in page_ranges(pages).split(", "):
        first, _, last = part.partition("-")
        spelled.update(range(int(first), int(last or first) + 1))
    assert spelled == pages
