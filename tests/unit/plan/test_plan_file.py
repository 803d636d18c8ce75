# SPDX-License-Identifier: MIT
"""Plan files: read back as written, whatever else stands in them; and what is none refused with
the place."""

from __future__ import annotations

import pytest

from support.edited_texts import edited
from tinyprof.errors import TinyprofError
from tinyprof.plan.plan_file import PlanError, dump_plan, load_plan

SEED = 20261124
PAGES = {"/bin/sh": [0, 1, 2, 7], '/\udcff"\n': [4095]}


def test_a_plan_read_back_is_the_same() -> None:
    text = dump_plan(PAGES)
    assert text.isascii()
    assert load_plan(text) == PAGES


def test_what_somebody_added_by_hand_is_not_looked_at() -> None:
    text = '{"note": [1, "x"], "pages": {"/a": [[3, 5], 4, 9, 9]}, "format": 1}'
    assert load_plan(text) == {"/a": [3, 4, 5, 9]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON at line 1, column 1"),
        ('{"format": 1,\n"pages": {"/a": [1 2]}}', "no JSON at line 2, column 20"),
        ("[" * 99_999, "nested too deep"),
        ("9" * 9999, "too large a number"),
        ("[]", "no format"),
        ('{"pages": {}}', "no format"),
        ('{"format": 1}', "no pages by path"),
        ('{"format": 1, "pages": [1]}', "no pages by path"),
        ('{"format": 1, "pages": {"/a": 1}}', "/a has no list of pages"),
        ('{"format": 1, "pages": {"/a": "12"}}', "/a has no list of pages"),
        ('{"format": 1, "pages": {"/a": [1], "/a": [2]}}', "a name stands twice"),
        ('{"format": 1, "pages": {"/a": [-1]}}', "/a: -1 is no page"),
        ('{"format": 1, "pages": {"/a": [4096]}}', "/a: 4096 is no page"),
        ('{"format": 1, "pages": {"/a": [true]}}', "/a: True is no page"),
        ('{"format": 1, "pages": {"/a": [1.0]}}', "/a: 1.0 is no page"),
        ('{"format": 1, "pages": {"/a": [[2, 1]]}}', "is no page and no range"),
        ('{"format": 1, "pages": {"/a": [[1, 2, 3]]}}', "is no page and no range"),
        (
            '{"format": 2, "tinyprof": "4.2"}',
            "plan format 2, this reads 1; use tinyprof 4.2 or newer",
        ),
        ('{"format": 2}', "use a tinyprof that reads 2 or newer"),
        ('{"format": true, "pages": {}}', "plan format True"),
    ],
)
def test_what_is_no_plan_is_refused_naming_the_place(text: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        load_plan(text)
    assert said in str(caught.value)
    assert "Error" not in str(caught.value)


def test_a_mutated_plan_never_raises_anything_of_python() -> None:
    for mutated in edited(dump_plan(PAGES), SEED, 5_000):
        try:
            assert dump_plan(load_plan(mutated))
        except TinyprofError:
            continue


def test_a_profile_is_not_taken_for_a_later_plan() -> None:
    with pytest.raises(PlanError, match=r"this is a profile, not a plan; give it with --profile"):
        load_plan('{"format":2,"unknown_pages":0,"runs":[],"files":[]}')


def test_ranges_that_overlap_are_spelled_out_once() -> None:
    text = '{"format":1,"pages":{"/f":[[5,9],[0,6],7,[2,3]]}}'
    assert load_plan(text) == {"/f": list(range(10))}
    many = ",".join(["[0,4095]"] * 200_000)
    assert len(load_plan(f'{{"format":1,"pages":{{"/f":[{many}]}}}}')["/f"]) == 4096


def test_more_pages_than_any_image_holds_are_refused() -> None:
    paths = ",".join(f'"/f{n}":[[0,4095]]' for n in range(65))
    with pytest.raises(PlanError, match="over 262144 pages"):
        load_plan(f'{{"format":1,"pages":{{{paths}}}}}')
