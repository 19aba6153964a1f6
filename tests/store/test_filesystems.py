"""Which file system a path lies on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_tasks.store.filesystems import file_system_of, is_network, parse_mounts

MOUNTS = b"""\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
40 22 0:50 / /home rw,relatime shared:9 master:3 - nfs4 server:/export/home rw,vers=4.2
41 40 0:51 / /home/ann/local\\040disk rw - xfs /dev/vdb rw
42 22 0:52 / /homes rw - fuse.sshfs me@host:/ rw
43 22 0:53 / /mnt rw - ext4 /dev/vdc rw
44 22 0:54 / /mnt rw - cifs //server/share rw
no line of mountinfo
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/home/ann/.local/share/jupyter/tasks/tasks.db", "nfs4", True),
        ("/home/ann/local disk/tasks.db", "xfs", False),
        ("/homes/ann/tasks.db", "fuse.sshfs", True),
        ("/mnt/tasks.db", "cifs", True),
        ("/srv/tasks.db", "ext4", False),
    ],
)
def test_the_mount_that_holds_it(tmp_path: Path, path: str, kind: str, network: bool) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_bytes(MOUNTS)
    assert file_system_of(Path(path), mounts) == kind
    assert is_network(kind) == network


def test_where_nothing_is_known(tmp_path: Path) -> None:
    assert file_system_of(Path("/srv"), tmp_path / "missing") == ""
    assert not is_network("")


def test_this_machine() -> None:
    assert file_system_of(Path("/proc/self")) in ("proc", "")


@given(st.binary(max_size=400))
def test_any_bytes(text: bytes) -> None:
    for place, kind in parse_mounts(text):
        assert isinstance(place, bytes)
        assert kind
