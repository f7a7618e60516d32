from pathlib import Path

import torch

from kdcli.store import ResumePoint

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


def test_no_damaged_byte_is_taken_for_a_training(tmp_path: Path) -> None:
    kept = point(tmp_path)
    whole = kept.path.read_bytes()
    for k in range(len(whole)):
        kept.path.write_bytes(whole[:k] + bytes([whole[k] ^ 1]) + whole[k + 1 :])
        assert kept.load() is None, k
    for k in range(0, len(whole), 7):
        kept.path.write_bytes(whole[:k])
        assert kept.load() is None, k
