# SPDX-License-Identifier: MIT
"""Limits of a change: their words, what each allows, and the rules of a budget file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinyprof.cramfs.reading.measure import FileShare
from tinyprof.report.images.account import CAUSES, ImageAccount, UseAccount
from tinyprof.report.images.comparison import PackagesError, compare, load_packages
from tinyprof.report.images.limits import (
    BudgetFileError,
    SizeRule,
    breaches,
    read_budget,
    read_limit,
)
from tinyprof.report.images.text import MARKDOWN_ROWS, markdown_lines


def account(size: int, *, cache: int | None = None, **files: int) -> ImageAccount:
    """An image with files of so many stored bytes; `usr_sh` is /usr/sh."""
    causes = dict.fromkeys(CAUSES, 0) | {"compressed": size}
    shares = {"/" + name.replace("_", "/"): FileShare(9, size, 0) for name, size in files.items()}
    use = None if cache is None else UseAccount("p", "patched", cache, cache, 9, 0, {})
    return ImageAccount("it", size, causes, 0, {}, shares, use)


@pytest.mark.parametrize(
    ("text", "before", "allowed"),
    [
        ("1%", 1000, 10),
        ("1.5%", 1000, 15),
        ("0%", 1000, 0),
        ("0", 1000, 0),
        ("64", 1000, 64),
        ("64K", 1000, 64 << 10),
        ("1.5m", 0, 3 << 19),
        ("64KiB", 0, 64 << 10),
        ("5%", 0, 0),
        ("<=1200", 1000, 200),
        ("<=900", 1000, -100),
    ],
)
def test_a_limit_allows_growth_up_to_it_and_not_a_byte_more(
    text: str, before: int, allowed: int
) -> None:
    limit = read_limit(text)
    assert limit
    assert limit.allows(before, before + allowed)
    assert not limit.allows(before, before + allowed + 1)


@pytest.mark.parametrize("text", ["", "%", "-1", "1 %", "<=1%", "1x", "K", "1e9", "٣"])
def test_other_words_are_no_limits(text: str) -> None:
    assert read_limit(text) is None


@pytest.mark.parametrize(
    ("rule", "exceeded"),
    [
        ("total 100", []),
        ("total 99", ["the image"]),
        ("total 10% 99", ["the image"]),
        ("total 9% 99 <=1099", ["the image"] * 3),
        ("ram 0", ["the page cache"]),
        ("ram 50%", []),
        ("path /usr/* 60", []),
        ("path /usr/* 59", ["path /usr/*"]),
        ("path /gone 0", []),
        ("path /new 39", ["path /new"]),
        ("package shell 60", []),
        ("package shell 59", ["package shell"]),
    ],
)
def test_each_kind_of_rule_is_judged_by_itself(rule: str, exceeded: list[str]) -> None:
    old = account(1000, cache=8, usr_sh=100, usr_awk=50, gone=5)
    new = account(1100, cache=12, usr_sh=160, usr_awk=50, new=40)
    found = compare(old, new, {"/usr/sh": "shell", "/usr/awk": "awk"})
    assert [it.what for it in breaches(found, read_budget(rule))] == exceeded


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no rule"),
        ("# only a comment\n", "it has no rule"),
        ("all 1%", "line 1: all is none of total, ram, path and package"),
        ("total 1%\npath /x", "line 2: it has no limit"),
        ("package", "line 1: package has no name"),
        ("total much", "line 1: much is no limit"),
        ("total 1\n" * 10_001, "10001 lines"),
    ],
)
def test_a_budget_file_that_cannot_be_read_names_the_line(text: str, said: str) -> None:
    with pytest.raises(BudgetFileError) as caught:
        read_budget(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (SizeRule("path", "/nowhere/*", (), "line 3"), "line 3: no path of either image matches"),
        (SizeRule("package", "nobody", (), "line 4"), "line 4: there is no package nobody"),
        (SizeRule("ram", "", ()), "without a profile there is no page cache"),
    ],
)
def test_a_rule_that_cannot_be_applied_is_no_rule_that_holds(rule: SizeRule, said: str) -> None:
    found = compare(account(1, sh=1), account(1, sh=1))
    with pytest.raises(BudgetFileError) as caught:
        breaches(found, [rule])
    assert said in str(caught.value)


@pytest.mark.parametrize("used", [0, 9])
@pytest.mark.parametrize("is_old", [False, True])
def test_a_page_cache_under_a_profile_of_another_product_cannot_be_judged(
    used: int, is_old: bool
) -> None:
    known = account(1, cache=0)
    strange = replace(known, use=UseAccount("p", "patched", 0, 0, used, used, {}))
    found = compare(strange, known) if is_old else compare(known, strange)
    with pytest.raises(BudgetFileError, match=r"line 1: no used page of the profile is in it"):
        breaches(found, read_budget("ram 0"))


@pytest.mark.parametrize(("stale", "exceeded"), [((0, 2), 1), ((2, 2), 0), ((2, 0), 0)])
def test_used_pages_that_the_new_image_lost_count_as_page_cache(
    stale: tuple[int, int], exceeded: int
) -> None:
    old, new = (
        replace(account(1), use=UseAccount("p", "patched", cache, 0, 9, lost, {}))
        for cache, lost in zip((8192, 4096), stale, strict=True)
    )
    found = breaches(compare(old, new), read_budget("ram 0"))
    assert [it.after for it in found] == [4096 + 2 * 4096] * exceeded


def test_packages_are_read_as_buildroot_writes_them() -> None:
    text = 'File name,Package name,File size\nbin/sh,busybox,9\n"a,b",c,1\n'
    assert load_packages(text) == {"/bin/sh": "busybox", "/a,b": "c"}
    for broken in ("", "one\n", 'a,b\n"c'):
        with pytest.raises(PackagesError):
            load_packages(broken)


def test_markdown_has_few_rows_and_no_name_breaks_out_of_them() -> None:
    files = {f"file{number}": number for number in range(500)}
    packages = {f"/file{number}": f"p{number % 40}" for number in range(500)}
    old, new = account(1000), account(2000, **files)
    hostile = {"/a|b`<img src=x>\n| x |": FileShare(9, 1 << 20, 0)}
    new = ImageAccount("n|", 2000, new.causes, 0, {}, {**new.files, **hostile})
    lines = list(markdown_lines(compare(old, new, packages), []))
    heads = sum(line.startswith("|---") for line in lines)
    rows = [line for line in lines if line.startswith("|") and not line.startswith("|---")]
    assert len(rows) - heads <= MARKDOWN_ROWS
    assert all("\n" not in line for line in lines)
    (row,) = (line for line in lines if "img" in line)
    assert row.replace("\\|", "").count("|") == 5
    assert "<" not in row.replace("\\<", "")
