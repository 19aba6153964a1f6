"""Trees that somebody hostile filled are copied, measured and removed without leaving them."""

from __future__ import annotations

import os
import stat
import string
from pathlib import Path

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_tasks.errors import InvalidInput
from jupyter_tasks.workspaces.local_tree import copy_template, remove_tree, tree_size


def test_copy_keeps_modes_and_inner_links(template: Path, tmp_path: Path) -> None:
    (template / "link").symlink_to("pages/index.html")
    (template / "read-only").write_text("x")
    (template / "read-only").chmod(0o444)
    (template / "set-id").write_text("x")
    (template / "set-id").chmod(0o6755)
    target = tmp_path / "copy"
    copy_template(template, target)
    assert (target / "link").read_text() == "<h1>hello</h1>\n"
    assert (target / "link").readlink() == Path("pages/index.html")
    modes = {name: stat.S_IMODE((target / name).stat().st_mode) for name in ("run.sh", "read-only", "set-id")}
    assert modes == {"run.sh": 0o755, "read-only": 0o644, "set-id": 0o755}


@pytest.mark.parametrize("link", ["/etc/passwd", "../../etc/passwd", "../../template-2", "../../template/app.py"])
def test_copy_refuses_links_that_leave(template: Path, tmp_path: Path, link: str) -> None:
    (template / "pages" / "out").symlink_to(link)
    with pytest.raises(InvalidInput, match="leads out"):
        copy_template(template, tmp_path / "copy")


def test_copy_refuses_what_is_no_file(template: Path, tmp_path: Path) -> None:
    os.mkfifo(template / "pipe")
    with pytest.raises(InvalidInput, match="neither"):
        copy_template(template, tmp_path / "copy")


def test_remove_spares_what_links_lead_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "kept").mkdir(parents=True)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(outside)
    remove_tree(tree)
    assert (outside / "kept").is_dir()
    link = tmp_path / "link"
    link.symlink_to(outside)
    remove_tree(link)
    assert not link.is_symlink()
    assert (outside / "kept").is_dir()
    remove_tree(tmp_path / "never-was")


def test_remove_what_is_deeper_than_a_path_can_name(tmp_path: Path) -> None:
    tree = tmp_path / "deep"
    tree.mkdir()
    here = os.open(tree, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d" * 100, 0o700, dir_fd=here)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert tree_size(tree) >= 1500 * 4096, "what lies deeper than a path can name is not counted"
    remove_tree(tree)
    assert not tree.exists()


NAMES = st.text(alphabet=string.ascii_letters + " .\n\\$*é", min_size=1, max_size=12).filter(
    lambda n: n not in {".", ".."}
)
TREES = st.recursive(
    st.sampled_from(["file", "link", "up", "pipe"]),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def build(path: Path, tree: object, mode: int) -> None:
    if isinstance(tree, dict):
        path.mkdir()
        for name, inner in tree.items():
            build(path / name, inner, mode)
        path.chmod(mode)
    elif tree == "file":
        path.write_bytes(b"x" * 5000)
    elif tree == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/" if tree == "link" else "..")


@settings(
    max_examples=examples(60),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(tree=st.dictionaries(NAMES, TREES, max_size=5), mode=st.sampled_from([0o700, 0o500, 0o000]))
def test_any_tree_is_measured_and_removed(tmp_path: Path, tree: dict[str, object], mode: int) -> None:
    sentinel = tmp_path / "sentinel"
    sentinel.write_text("stays")
    root = tmp_path / "root"
    build(root, tree, mode)
    assert tree_size(root) >= 0
    remove_tree(root)
    assert not root.exists()
    assert sentinel.read_text() == "stays"


def test_size_counts_blocks_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * (1 << 20))
    os.link(tmp_path / "a", tmp_path / "b")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    assert 1 << 20 <= tree_size(tmp_path) < 2 << 20
