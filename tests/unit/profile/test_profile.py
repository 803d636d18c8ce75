# SPDX-License-Identifier: MIT
"""Captures into a profile: resolved, merged by content, and read back with suspicion."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from support.edited_texts import edited
from tinyprof.capture.index import ImageIndex, WrongImageError
from tinyprof.capture.reader import CaptureReader
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.errors import TinyprofError
from tinyprof.heat.boots import Boot
from tinyprof.heat.losses import Losses
from tinyprof.pages import Kind
from tinyprof.profile.merge import merge_profiles, weighted
from tinyprof.profile.model import NamedRange, PhaseFacts, Profile, ProfileError, Seen
from tinyprof.profile.resolve import make_profile, profile_of_boot
from tinyprof.profile.tprof import PROFILE_MAX, dump_profile, load_profile
from tinyprof.rootfs.indexing import index_image
from tinyprof.wire.messages import EpochEnd, Hello, Message, Pages, Volume
from tinyprof.wire.sequence import Frame

SEED = 20261124
CaptureOf = Callable[..., CaptureReader]


def rebuilt(rootfs: Path, **options: Any) -> ImageIndex:
    return index_image(
        read_image(write_image(Tree.from_directory(rootfs), {}, WriteOptions(**options)).image)
    )


def boot_of(
    index: ImageIndex, pages: list[int], path: str = "/program", boot: bytes = b"1st boot"
) -> list[Message]:
    """A boot that executes these pages of one file in its first epoch."""
    (file,) = (file for file in index.files if file.path == path)
    volume = Volume(1, index.fsid, index.size, index.name, True)
    hello = Hello(1, "0.1.0", "6.1.192", "armv7l", 4096, boot, 1000, 1, (volume,))
    ids = tuple(file.page_ids[page] for page in pages)
    return [hello, Pages(1, 1, 5, ids, bytes(len(ids))), EpochEnd(1, 1, 9, (len(ids), 0, 0, 0))]


def test_page_ids_become_pages_of_files(
    capture_of: CaptureOf, story: list[Message], index: ImageIndex
) -> None:
    profile = make_profile([capture_of(story, index)])
    (file,) = profile.files
    assert (file.path, file.size, file.sha256) == ("/program", 8 * 4096, index.files[0].sha256)
    once = Seen(1, 1, 1, 1, 1, 1, 1)
    assert {page: dict(use.seen) for page, use in file.pages.items()} == {
        0: {"f": once},
        3: {"x": once, "f": once, "*": once},
        5: {"w": once},
    }
    assert file.pages[3].hash == index.files[0].hashes[3].hex()
    assert [file.pages[page].kinds for page in (0, 3, 5)] == ["f", "xf", "w"]


def counting(messages: list[Message], *told: tuple[int, int]) -> list[Message]:
    """The same boot, of a target that counts processes."""
    *before, end = messages
    assert isinstance(end, EpochEnd)
    return [*before, replace(end, total=sum(end.records), processes=told)]


def test_processes_are_known_where_the_target_counts_and_the_file_was_mapped(
    capture_of: CaptureOf, index: ImageIndex
) -> None:
    page_0 = index.files[0].page_ids[0]
    boot = boot_of(index, [1])

    def known(messages: list[Message]) -> int | None:
        profile = make_profile([capture_of(messages, index)])
        assert load_profile(dump_profile(profile)) == profile
        return profile.files[0].processes

    assert known(boot) is None
    assert known(counting(boot)) == 1
    assert known(counting(boot, (page_0, 3))) == 3
    read_alone = [
        replace(it, kinds=b"\3") if isinstance(it, Pages) else it for it in counting(boot)
    ]
    assert known(read_alone) is None


def test_the_most_processes_of_all_runs_count(capture_of: CaptureOf, index: ImageIndex) -> None:
    page_0 = index.files[0].page_ids[0]
    boot = boot_of(index, [1])
    boots = [counting(boot, (page_0, 2)), boot, counting(boot, (page_0, 5)), counting(boot)]
    merged = merge_profiles(make_profile([capture_of(messages, index)]) for messages in boots)
    assert merged.files[0].processes == 5


def test_a_capture_without_index_takes_the_image_given(
    capture_of: CaptureOf, story: list[Message], index: ImageIndex
) -> None:
    assert make_profile([capture_of(story)], index) == make_profile([capture_of(story, index)])
    with pytest.raises(ProfileError, match=r"no image index.*--image"):
        make_profile([capture_of(story)])


def test_the_image_given_helps_where_the_recorded_index_is_of_another(
    capture_of: CaptureOf, rootfs: Path, story: list[Message], index: ImageIndex
) -> None:
    other = rebuilt(rootfs, edition=7)
    assert make_profile([capture_of(story, other)], index) == make_profile(
        [capture_of(story, index)]
    )


def test_an_image_that_no_target_ran_is_refused_though_the_captures_could_do_without(
    capture_of: CaptureOf, rootfs: Path, story: list[Message], index: ImageIndex
) -> None:
    other = rebuilt(rootfs, edition=7)
    with pytest.raises(WrongImageError, match=f"{index.fsid}.*{other.fsid}"):
        make_profile([capture_of(story, index)], other)


def test_another_image_is_refused_naming_both(
    capture_of: CaptureOf, rootfs: Path, story: list[Message], index: ImageIndex
) -> None:
    other = rebuilt(rootfs, edition=7)
    with pytest.raises(WrongImageError, match=f"{index.fsid}.*{other.fsid}"):
        make_profile([capture_of(story, other)])


def test_a_reboot_splits_runs(capture_of: CaptureOf, index: ImageIndex) -> None:
    profile = make_profile(
        [capture_of(boot_of(index, [1, 2]) + boot_of(index, [2, 3], boot=b"2nd boot"), index)]
    )
    assert [boot.epochs for boot in profile.boots] == [1, 1]
    assert {page: use.any.epochs for page, use in profile.files[0].pages.items()} == {
        1: 1,
        2: 2,
        3: 1,
    }


def test_builds_merge_where_files_have_the_same_content(
    capture_of: CaptureOf, rootfs: Path, index: ImageIndex
) -> None:
    first = capture_of(boot_of(index, [1]), index)
    (rootfs / "changed").write_bytes(b"first" * 4096)
    with_more = rebuilt(rootfs)
    second = capture_of(boot_of(with_more, [0], "/changed"), with_more)
    (rootfs / "changed").write_bytes(b"other" * 4096)
    (rootfs / "program").rename(rootfs / "moved")
    last = rebuilt(rootfs)
    third = capture_of(boot_of(last, [1, 4], "/moved"), last)
    fourth = capture_of(boot_of(last, [0], "/changed"), last)
    profile = make_profile([first, second, third, fourth])
    assert [(file.path, sorted(file.pages)) for file in profile.files] == [
        ("/changed", [0]),
        ("/changed", [0]),
        ("/moved", [1, 4]),
    ]
    assert profile.files[2].pages[1].any.epochs == 2
    assert profile.epochs_of(profile.files[2]) == 3
    assert len({boot.fsid for boot in profile.boots}) == 3


def test_the_order_of_captures_does_not_matter(
    capture_of: CaptureOf, rootfs: Path, index: ImageIndex
) -> None:
    other = rebuilt(rootfs, edition=7)

    def captures() -> list[CaptureReader]:
        return [capture_of(boot_of(index, [1]), index), capture_of(boot_of(other, [2, 3]), other)]

    assert dump_profile(make_profile(captures())) == dump_profile(make_profile(captures()[::-1]))


def test_pages_of_no_file_are_counted(capture_of: CaptureOf, index: ImageIndex) -> None:
    hello, _, end = boot_of(index, [0])
    profile = make_profile([capture_of([hello, Pages(1, 1, 0, (1, 2), bytes(2)), end], index)])
    assert (profile.unknown_pages, profile.files) == (2, ())


def test_losses_and_unended_epochs_are_in_the_profile(
    capture_of: CaptureOf, index: ImageIndex
) -> None:
    hello, pages, end = boot_of(index, [0])
    assert isinstance(pages, Pages)
    assert isinstance(end, EpochEnd)
    more = replace(end, records=(3, 0, 0, 0))
    profile = make_profile([capture_of([hello, pages, more, replace(pages, epoch=2)], index)])
    (boot,) = profile.boots
    assert (boot.epochs, boot.losses) == (2, Losses(records=2))


def test_what_a_running_epoch_has_seen_is_not_yet_in_a_profile(index: ImageIndex) -> None:
    boot = Boot()
    later = Pages(1, 2, 12, (index.files[0].page_ids[7],), b"\0")
    for seq, message in enumerate([*boot_of(index, [2, 6]), later]):
        boot.take(Frame(seq, 0, message))
    profile = profile_of_boot(boot, index)
    assert (profile.epochs, list(profile.files[0].pages)) == (1, [2, 6])
    assert load_profile(dump_profile(profile)) == profile


def test_a_profile_that_no_reader_would_take_is_not_written(
    capture_of: CaptureOf, index: ImageIndex
) -> None:
    profile = make_profile([capture_of(boot_of(index, [0]), index)])
    (file,) = profile.files
    length = 1 << 15

    def text_with(symbols: int) -> str:
        named = tuple(NamedRange(f"{n:0{length}}", 0, 1) for n in range(symbols))
        return dump_profile(replace(profile, files=(replace(file, symbols=named),)))

    assert load_profile(text_with(PROFILE_MAX // length - 1)).files[0].symbols
    with pytest.raises(ProfileError, match="too large"):
        text_with(PROFILE_MAX // length)


def test_a_capture_without_hello_is_refused(capture_of: CaptureOf, index: ImageIndex) -> None:
    with pytest.raises(ProfileError, match="no target"):
        make_profile([capture_of(boot_of(index, [0])[1:], index)])


@pytest.fixture
def profile(
    capture_of: CaptureOf, rootfs: Path, story: list[Message], index: ImageIndex
) -> Profile:
    other = rebuilt(rootfs, edition=7)
    return make_profile([capture_of(story, index), capture_of(boot_of(other, [7]), other)])


def test_a_profile_read_back_is_the_same(profile: Profile) -> None:
    assert load_profile(dump_profile(profile)) == profile


def test_a_name_that_is_no_text_comes_back(profile: Profile) -> None:
    odd = replace(profile, files=(replace(profile.files[0], path='/\udcff"\x1b[2J\n'),))
    text = dump_profile(odd)
    assert text.isascii()
    assert len(text.splitlines()) == 6
    assert load_profile(text) == odd


def test_each_run_and_each_file_is_a_line(profile: Profile) -> None:
    lines = dump_profile(profile).splitlines()
    assert [line[:8] for line in lines] == [
        '{"format',
        '{"image"',
        '{"image"',
        '],"files',
        '{"path":',
        "]}",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "1",
        '{"format":3}',
        '{"format":2}',
        '{"format":2,"files":[1]}',
        "[" * 99_999,
        '{"format":2,"format":2}',
        "9" * 9999,
        '{"format":NaN}',
    ],
)
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ProfileError):
        load_profile(text)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (
            lambda p: p["files"][0]["pages"][0].__setitem__(0, -1),
            r"file 0 \(/program\) page -1 is impossible",
        ),
        (
            lambda p: p["files"][0]["pages"][0].__setitem__(0, 8),
            "page 8 is impossible: the file has 8",
        ),
        (lambda p: p["files"][0]["pages"].append(p["files"][0]["pages"][0]), "a page twice"),
        (lambda p: p["files"][0]["pages"][0].__setitem__(1, "xyz"), "hash"),
        (lambda p: p["files"][0]["pages"][0].__setitem__(2, {}), "as no kind"),
        (
            lambda p: p["files"][0]["pages"][0][2].__setitem__("q", [1, 1, 1, 1, 1, 1, 1]),
            "as no kind",
        ),
        (
            lambda p: p["files"][0]["pages"][0][2].__setitem__("xr", [1, 1, 1, 1, 1, 1, 1]),
            "xr or ",
        ),
        (
            lambda p: p["files"][0]["pages"][0][2].__setitem__("f", [1.0, 1, 1, 1, 1, 1, 1]),
            "impossible way",
        ),
        (
            lambda p: p["files"][0]["pages"][0][2].__setitem__("f", [1, 2, 1, 1, 1, 1, 1]),
            "impossible way",
        ),
        (
            lambda p: p["files"][0]["pages"][0][2].__setitem__("f", [1, 1, 0, 1, 1, 1, 1]),
            "impossible way",
        ),
        (lambda p: p["files"][0]["pages"][1][2]["*"].__setitem__(0, 3), "add up"),
        (lambda p: p["files"][0]["pages"][0].pop(), "number, hash"),
        (lambda p: p["files"][0].__setitem__("symbols", [["f", 40000, 4]]), "symbol offset"),
        (lambda p: p["files"][0].__setitem__("size", 1 << 24), "size"),
        (lambda p: p["files"][0].__setitem__("path", "program"), "absolute"),
        (lambda p: p["files"][0].__setitem__("sha256", "0" * 63), "hash"),
        (lambda p: p["files"][0].pop("path"), "has no path"),
        (lambda p: p["files"].append(p["files"][0]), "twice"),
        (lambda p: p["runs"].clear(), "more epochs than there were"),
        (lambda p: p["runs"][0]["phases"].clear(), "add up to its epochs"),
        (lambda p: p["runs"][0].__setitem__("weight", 0), "weight"),
        (lambda p: p["runs"][0].__setitem__("image", "\x1b[2J"), "fsid"),
        (lambda p: p["runs"][0].__setitem__("lost", 5), "run 0 lost has no frames"),
        (lambda p: p.__setitem__("unknown_pages", 1 << 60), "unknown_pages"),
        (lambda p: p.__setitem__("files", {}), "no list"),
        (lambda p: p["files"][0].__setitem__("processes", 0), "file 0 processes"),
    ],
)
def test_a_broken_profile_is_refused_naming_the_place(
    profile: Profile, break_it: Callable[[Any], Any], said: str
) -> None:
    fields = json.loads(dump_profile(profile))
    break_it(fields)
    with pytest.raises(ProfileError, match=said):
        load_profile(json.dumps(fields))


def test_a_mutated_profile_never_raises_anything_of_python(profile: Profile) -> None:
    for mutated in edited(dump_profile(profile), SEED, 5_000):
        try:
            assert dump_profile(load_profile(mutated))
        except TinyprofError:
            continue


def test_what_a_later_version_added_is_kept(profile: Profile) -> None:
    fields = json.loads(dump_profile(profile))
    fields["mood"] = "good"
    fields["runs"][0]["weather"] = [1, 2]
    fields["files"][0]["owner"] = {"uid": 0}
    text = dump_profile(load_profile(json.dumps(fields)))
    assert json.loads(text) == fields
    assert dump_profile(load_profile(text)) == text


def test_a_newer_format_is_refused_with_the_version_that_reads_it() -> None:
    with pytest.raises(ProfileError, match=r"format 3, this reads 2; use tinyprof 4\.2 or newer"):
        load_profile('{"format":3,"tinyprof":"4.2"}')


def test_profiles_merge_as_their_captures_do(capture_of: CaptureOf, index: ImageIndex) -> None:
    def captures() -> list[CaptureReader]:
        return [capture_of(boot_of(index, pages), index) for pages in ([1, 2], [2, 3])]

    merged = merge_profiles(make_profile([capture]) for capture in captures())
    assert dump_profile(merged) == dump_profile(make_profile(captures()))


def test_a_weight_counts_a_run_as_often(capture_of: CaptureOf, index: ImageIndex) -> None:
    often = make_profile([capture_of(boot_of(index, [1]), index)], weights={"capture": 3})
    merged = merge_profiles([often, make_profile([capture_of(boot_of(index, [1, 2]), index)])])
    pages = merged.files[0].pages
    assert [(pages[page].any.epochs, pages[page].any.boots) for page in (1, 2)] == [(4, 2), (1, 1)]
    assert merged.epochs == 4
    assert load_profile(dump_profile(merged)) == merged


def test_kinds_are_in_the_order_of_the_wire() -> None:
    assert [kind.name for kind in Kind] == ["EXEC", "READ", "WRITE", "FILE"]


def with_boot(profile: Profile, **changes: Any) -> Profile:
    return replace(profile, boots=tuple(replace(boot, **changes) for boot in profile.boots))


def test_merging_does_not_depend_on_the_order(
    capture_of: CaptureOf, story: list[Message], index: ImageIndex
) -> None:
    """Also where files carry fields of a later version, other page hashes, or symbols."""
    plain = make_profile([capture_of(story, index)])
    (file,) = plain.files

    def variant(hashed: str, extra: dict[str, Any], symbols: tuple[NamedRange, ...]) -> Profile:
        pages = {page: replace(use, hash=hashed) for page, use in file.pages.items()}
        changed = replace(file, pages=pages, extra=extra, symbols=symbols)
        return with_boot(replace(plain, files=(changed,), extra=extra), extra=extra)

    b, a = NamedRange("b", 40, 4), NamedRange("a", 8, 4)
    profiles = [
        plain,
        variant("", {"owner": "x", "n": [2]}, (b, a)),
        variant("f" * 16, {"owner": "a"}, ()),
        variant("0" * 16, {"n": {"deep": 1}}, (a,)),
    ]
    merged = {dump_profile(merge_profiles(them)) for them in permutations(profiles)}
    assert len(merged) == 1
    grouped = merge_profiles(
        [merge_profiles(profiles[:2]), merge_profiles([profiles[3], profiles[2]])]
    )
    assert dump_profile(grouped) in merged
    assert load_profile(merged.pop()).extra == {"owner": "a", "n": [2]}


def test_counts_that_add_up_beyond_what_a_profile_holds_are_refused(
    capture_of: CaptureOf, story: list[Message], index: ImageIndex
) -> None:
    plain = make_profile([capture_of(story, index)])
    most = (1 << 53) - 1
    huge = with_boot(plain, epochs=most - 1, phases=(PhaseFacts("", 1, most - 1, 3, True),))
    assert load_profile(dump_profile(merge_profiles([huge, plain]))).epochs == most
    with pytest.raises(ProfileError, match=f"epochs add up to {most + 1}; .* at most {most}"):
        merge_profiles([huge, plain, plain])
    with pytest.raises(ProfileError, match="smaller weights"):
        weighted(huge, 2)
    with pytest.raises(ProfileError, match="unknown pages add up"):
        merge_profiles([replace(plain, unknown_pages=most), replace(plain, unknown_pages=1)])


def test_a_plan_is_not_taken_for_an_old_profile() -> None:
    plan = '{"format":1,"pages":{"/program":[1]}}'
    with pytest.raises(ProfileError, match=r"this is a plan, not a profile; .*--plan"):
        load_profile(plan)


def test_a_text_of_too_many_values_or_too_deep_is_refused_before_it_takes_memory() -> None:
    with pytest.raises(ProfileError, match="over 2000000 lists and objects"):
        load_profile("[" + "[]," * 2_000_000)
    with pytest.raises(ProfileError, match="at most 33554432 are read"):
        load_profile(" " * (33_554_432 + 1))
    deep = "[" * 70 + "]" * 70
    with pytest.raises(ProfileError, match="nested too deep"):
        load_profile(f'{{"format":2,"unknown_pages":0,"runs":[],"files":[],"later":{deep}}}')
