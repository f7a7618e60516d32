import os
from pathlib import Path

import pytest

from kdcli.errors import KdError
from kdcli.store.files import in_the_way, new_folder, read_record, sweep, write_file


def test_a_file_is_written_as_a_whole_or_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "below/file"
    write_file(path, b"a", b"b")
    assert path.read_bytes() == read_record(path) == b"ab"

    def cut_off(source: str, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", cut_off)
    with pytest.raises(KeyboardInterrupt):
        write_file(path, b"c")
    assert [file.name for file in path.parent.iterdir()] == ["file"]
    assert path.read_bytes() == b"ab"


def test_a_folder_is_moved_to_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for content in ("old", "new"):
        with new_folder(path) as folder:
            (folder / "file").write_text(content)
    with pytest.raises(FileNotFoundError), new_folder(path) as folder:
        (folder / "file").rename(folder / "other")  # which is not there
    assert os.listdir(tmp_path) == ["folder"]
    assert (path / "file").read_text() == "new"


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KdError, match="cannot use"):
        write_file(tmp_path / "file/x", b"")
    assert in_the_way(tmp_path / "file/x/y") == tmp_path / "file"
    assert in_the_way(tmp_path / "other/x/y") is None


def test_what_was_cut_off_is_cleared_up_and_links_are_left_alone(tmp_path: Path) -> None:
    for name in (".data.new-a", ".teacher.replaced", ".git"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / ".link.new-b").symlink_to("mine")
    assert sweep(tmp_path) == [".data.new-a", ".link.new-b", ".teacher.replaced"]
    assert sorted(os.listdir(tmp_path)) == [".git", "mine", "teacher"]  # the old teacher is restored
    assert sweep(tmp_path / "nowhere") == []
