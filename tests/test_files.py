"""Files are whole or not there."""

from __future__ import annotations

import os
import stat

import pytest

from vocabseg.files import write_atomic


def test_writes_and_replaces(tmp_path) -> None:
    path = tmp_path / "x"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["x"]


def test_permissions_follow_the_umask(tmp_path) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "x", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def fail(*_) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_links_are_followed_and_devices_stay(tmp_path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomic(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    (tmp_path / "null").symlink_to("/dev/null")
    write_atomic(tmp_path / "null", b"gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
