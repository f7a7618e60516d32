import os
from pathlib import Path

import pytest
import torch

from kdcli.errors import KdError
from kdcli.store import ResumePoint, files

IDENTITY = {"records": [{"epochs": 3}], "parents": {"data": "abc"}}
STATE = {"model.weights": torch.arange(6.0).view(2, 3), "at": torch.tensor([3, 1, 9])}


def point(folder: Path) -> ResumePoint:
    kept = ResumePoint(folder / "run/.resume/teacher")
    kept.save(IDENTITY, STATE)
    return kept


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    kept = point(tmp_path).load()
    assert kept is not None
    identity, state = kept
    assert identity == IDENTITY
    assert {name: value.tolist() for name, value in state.items()} == {
        name: value.tolist() for name, value in STATE.items()
    }
    assert [p.name for p in (tmp_path / "run/.resume").iterdir()] == ["teacher"]


def test_nothing_is_kept_before_and_after(tmp_path: Path) -> None:
    kept = point(tmp_path)
    kept.clear()
    kept.clear()
    assert kept.load() is None


def test_what_is_whole_is_what_was_written(tmp_path: Path) -> None:
    kept = point(tmp_path)
    assert kept.whole
    content = kept.path.read_bytes()
    for changed in (content[:-1], content + b" ", b"", b"a state", bytes(len(content))):
        kept.path.write_bytes(changed)
        assert not kept.whole
    kept.clear()
    assert not kept.whole
    kept.path.mkdir(parents=True)
    assert not kept.whole


def test_a_state_that_cannot_be_read_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = point(tmp_path)
    monkeypatch.setattr(files, "free_memory", lambda: 10)
    with pytest.raises(KdError) as problem:
        kept.load()
    assert f"`rm {kept.path}`" in problem.value.hint
    assert kept.whole  # nothing is lost


def test_neither_a_link_nor_a_folder_nor_a_pipe_is_a_state(tmp_path: Path) -> None:
    kept = point(tmp_path)
    outside = tmp_path / "outside"
    kept.path.rename(outside)
    kept.path.symlink_to(outside)
    assert kept.load() is None
    assert not kept.whole
    kept.clear()
    assert outside.is_file()
    kept.path.mkdir(parents=True)
    assert kept.load() is None
    kept.clear()  # which leaves it
    assert kept.path.is_dir()
    kept.path.rmdir()
    os.mkfifo(kept.path)
    assert kept.load() is None
    assert not kept.whole


def test_states_are_neither_kept_nor_removed_where_a_link_leads(tmp_path: Path) -> None:
    kept = point(tmp_path)
    outside = tmp_path / "outside"
    kept.path.parent.rename(outside)
    kept.path.parent.symlink_to(outside)
    before = (outside / "teacher").read_bytes()
    with pytest.raises(KdError, match="is a symbolic link"):
        kept.save(IDENTITY, {"at": torch.zeros(3)})
    kept.clear()
    assert (outside / "teacher").read_bytes() == before


def test_no_damaged_byte_is_taken_for_a_training(tmp_path: Path) -> None:
    kept = point(tmp_path)
    whole = kept.path.read_bytes()
    for k in range(len(whole)):
        kept.path.write_bytes(whole[:k] + bytes([whole[k] ^ 1]) + whole[k + 1 :])
        assert kept.load() is None, k
    for k in range(0, len(whole), 7):
        kept.path.write_bytes(whole[:k])
        assert kept.load() is None, k
