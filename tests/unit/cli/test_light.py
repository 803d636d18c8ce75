# SPDX-License-Identifier: MIT
"""A machine that builds images needs click and nothing else; and names the compressor where images
have to be the same on every machine."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tinyprof as package
from support.commands import PYTHON

LIGHT = """
import sys
MISSING = {"cobs", "deflate", "msgpack", "serial", "textual", "rich", "zopfli", "elftools",
           "backports", "compression"}
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from tinyprof.cli import main
main()
"""
"""The program where click is the only library."""

USED = [0, 1, 5, 6, 7]


def tinyprof(*words: str | Path, light: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LIGHT] if light else PYTHON
    return subprocess.run(
        [*command, *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real shell, with the sources of this package beside it."""
    top = tmp_path_factory.mktemp("light") / "tree"
    shutil.copytree(
        Path(package.__file__).parent, top / "lib", ignore=shutil.ignore_patterns("__pycache__")
    )
    (top / "bin").mkdir()
    shutil.copy(Path("/bin/sh").resolve(), top / "bin/sh")
    return top


@pytest.fixture(scope="module")
def profile(tree: Path) -> Path:
    """A profile of pages of the shell."""
    shell = (tree / "bin/sh").read_bytes()
    fsid = "0000000a/1/2/3"
    lost = dict.fromkeys(
        ("frames", "corrupt", "records", "untraced", "write_errors", "beyond_limits"), 0
    )
    run = {"image": fsid, "kernel": "6.1", "epochs": 1, "weight": 1, "lost": lost}
    run["phases"] = [["", 1, 1, 1, True]]
    pages = [[page, "", {"x": [1, 1, 1, 1, 1, 1, 1]}] for page in USED]
    file = {"path": "/bin/sh", "size": len(shell), "sha256": hashlib.sha256(shell).hexdigest()}
    files = [{**file, "images": [fsid], "pages": pages}]
    path = tree.parent / "sh.tprof"
    fields = {"format": 2, "unknown_pages": 0, "runs": [run], "files": files}
    path.write_text(json.dumps(fields))
    return path


@pytest.mark.parametrize(
    "words",
    [
        "build -q TREE IMAGE",
        "build -q TREE IMAGE --profile PROFILE --split-segments --json",
        "build -q -X -X TREE IMAGE --explain",
        "plan -q TREE -p PROFILE -o OUT",
        "plan -q TREE -p PROFILE --curve",
        "profile PROFILE PROFILE -o OUT",
        "split TREE/bin/sh --runs 0-1 -o OUT",
        "image info BUILT",
        "image ls -l BUILT",
        "image check BUILT",
        "image extract BUILT OUT",
        "diff PROFILE PROFILE",
        "report PROFILE --html OUT",
        "export PROFILE --format pages-csv",
        "--help",
    ],
)
def test_a_command_for_images_and_profiles_needs_click_alone(
    tmp_path: Path, tree: Path, profile: Path, words: str
) -> None:
    places = {"TREE": tree, "PROFILE": profile, "OUT": tmp_path / "out", "IMAGE": tmp_path / "i"}
    if "BUILT" in words:
        places["BUILT"] = tmp_path / "built"
        assert tinyprof("build", "-q", tree, places["BUILT"], light=False).returncode == 0
    command = []
    for word in words.split():
        name, slash, rest = word.partition("/")
        command.append(f"{places[name]}{slash}{rest}" if name in places else word)
    run = tinyprof(*command)
    assert run.returncode == 0, run.stderr


def test_an_order_needs_click_alone(tmp_path: Path, tree: Path, profile: Path) -> None:
    words = ["--rootfs", str(tree), "-o", str(tmp_path / "out"), "--format", "gold"]
    run = tinyprof("order", profile, *words)
    assert (run.returncode, run.stderr.count("\n")) == (3, 1)
    assert "/bin/sh: no symbols" in run.stderr


@pytest.mark.parametrize("more", [[], ["--profile", "PROFILE"], ["-x", "-z"], ["-X", "-X"]])
def test_the_image_is_the_same_with_click_alone_and_with_everything(
    tmp_path: Path, tree: Path, profile: Path, more: list[str]
) -> None:
    options = [str(profile) if word == "PROFILE" else word for word in more]
    images = []
    for light in (True, False):
        image = tmp_path / f"light-{light}"
        named = ("--compressor", "zlib", "--no-cache", *options)
        run = tinyprof("build", "-q", tree, image, *named, light=light)
        assert run.returncode == 0, run.stderr
        assert "zlib" not in run.stderr
        images.append(image.read_bytes())
    assert images[0] == images[1]


@pytest.mark.parametrize("light", [True, False])
def test_the_compressor_and_its_version_stand_in_the_json(
    tmp_path: Path, tree: Path, light: bool
) -> None:
    run = tinyprof("build", "-q", tree, tmp_path / "image", "--json", light=light)
    said = json.loads(run.stdout)["compressor"]
    assert (said["name"], said["level"], said["zopfli"]) == (
        "zlib" if light else "libdeflate",
        6,
        False,
    )
    assert said["version"][0].isdigit()
    lines = [line for line in run.stderr.splitlines() if "libdeflate is not installed" in line]
    assert len(lines) == light


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--compressor", "libdeflate"], "libdeflate is not installed here; install it with: pip"),
        (["--level", "12"], "Zopfli, for level 12 and --zopfli, is not installed here"),
        (["--compressor", "zlib", "--level", "10"], "zlib has no level 10; give a level from 1"),
    ],
)
def test_a_compressor_that_is_not_there_is_told_in_one_line(
    tmp_path: Path, tree: Path, words: list[str], said: str
) -> None:
    run = tinyprof("build", "-q", *words, tree, tmp_path / "image")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.splitlines()[-1].startswith(f"tinyprof: {said}")
    assert not (tmp_path / "image").exists()


@pytest.mark.parametrize(
    ("words", "package"),
    [("record sim: -o OUT", "pyserial"), ("profile CAPTURE -o OUT", "msgpack")],
)
def test_a_command_for_recordings_names_the_library_that_it_needs(
    tmp_path: Path, words: str, package: str
) -> None:
    vectors = Path(__file__).parents[2] / "vectors/captures"
    capture = next(path for path in sorted(vectors.iterdir()) if path.suffix == ".tpcap")
    places = {"OUT": str(tmp_path / "out"), "CAPTURE": str(capture)}
    run = tinyprof(*(places.get(word, word) for word in words.split()))
    assert (run.returncode, run.stdout) == (1, "")
    (line,) = run.stderr.splitlines()
    assert line == (
        f"tinyprof: this needs {package}, which is not installed here; "
        f"install it with: pip install {package}"
    )
