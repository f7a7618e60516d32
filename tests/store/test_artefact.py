import json
import math
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from harness import forge

from kdcli.errors import KdError, UsageError
from kdcli.store import Artefact, Run, Store, write_file

TENSORS = {"tensors": {"x": torch.arange(6.0).view(2, 3)}}


@pytest.fixture
def run(outputs: Path) -> Run:
    run = Store(outputs).run("one")
    run.write_recipe("")
    return run


def put(run: Run, name: str, parents: list[Artefact], value: float = 0.0, **config: object) -> Artefact:
    artefact = run.artefact(name)
    artefact.write("test", config, parents, {"tensors": {"x": torch.full((3,), value)}}, {"score": 1}, 0.5)
    return artefact


def leftovers(run: Run) -> list[str]:
    return [p.name for p in run.path.rglob(".*")]


def test_what_is_written_reads_back(run: Run) -> None:
    artefact = run.artefact("data")
    artefact.write(
        "gen-data", {"size": (2, 3)}, [], {"tensors": {"x": TENSORS["tensors"]["x"].T}}, {"n": 2}, 0.1
    )
    assert torch.equal(artefact.load("tensors")["x"], TENSORS["tensors"]["x"].T)
    meta = artefact.meta()
    assert (meta.stage, meta.config, meta.metrics) == ("gen-data", {"size": [2, 3]}, {"n": 2})
    assert set(meta.files) == {"tensors.safetensors"}
    assert meta.versions["torch"] == torch.__version__
    assert leftovers(run) == []


def test_an_infinite_metric_is_kept_as_strict_json(run: Run) -> None:
    artefact = run.artefact("data")
    artefact.write("test", {}, [], {}, {"nll": [0.5, math.inf], "name": "x"}, 0.0)
    assert artefact.meta().metrics == {"nll": [0.5, math.inf], "name": "x"}
    text = (artefact.path / "meta.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["metrics"]["nll"] == [0.5, "Infinity"]


def test_up_to_date_only_with_the_same_configuration_and_parents(run: Run) -> None:
    data = put(run, "data", [], seed=0)
    teacher = run.artefact("teacher")
    assert not teacher.up_to_date({"epochs": 5}, [data], force=False)
    put(run, "teacher", [data], epochs=5)
    assert teacher.up_to_date({"epochs": 5}, [data], force=False)
    assert teacher.up_to_date({"epochs": 5}, [data], force=True)
    with pytest.raises(KdError, match=r"epochs = 5, not 6") as problem:
        teacher.up_to_date({"epochs": 6}, [data], force=False, beside="kd gen-data moons --run NAME")
    assert "--force" in problem.value.hint
    assert "`kd gen-data moons --run NAME` starts a run beside this one" in problem.value.hint
    assert not teacher.up_to_date({"epochs": 6}, [data], force=True)


def test_stale_when_a_parent_changed_and_not_when_it_was_made_again(run: Run) -> None:
    data = put(run, "data", [])
    teacher = put(run, "teacher", [data])
    student = put(run, "students/soft", [data, teacher])
    put(run, "data", [], note="made again with the same content")
    assert not teacher.stale()
    put(run, "data", [], value=1.0)
    assert teacher.stale()
    assert student.stale()
    with pytest.raises(KdError, match="stale") as problem:
        teacher.fresh("kd train-teacher")
    assert "kd train-teacher --force" in problem.value.hint


def test_staleness_is_inherited(run: Run) -> None:
    data = put(run, "data", [])
    teacher = put(run, "teacher", [data])
    student = put(run, "students/soft", [teacher])
    put(run, "data", [], value=1.0)
    assert student.stale()


def test_a_failed_write_leaves_the_old_artefact(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    artefact = put(run, "data", [], value=1.0)

    def no_room(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kdcli.store.artefact.write_synced", no_room)
    with pytest.raises(KdError, match="No space left"):
        put(run, "data", [], value=2.0)
    assert artefact.load("tensors")["x"].tolist() == [1, 1, 1]
    assert leftovers(run) == []


def test_a_replacement_cut_off_between_its_renames_is_undone_by_the_next_command(run: Run) -> None:
    artefact = put(run, "data", [], value=1.0)
    artefact.path.rename(artefact.path.with_name(".data.replaced"))
    (run.path / ".data.new-abc").mkdir()
    (run.path / ".recipe.toml.new-def").write_text("half")
    assert not artefact.finished
    with run.locked() as leftovers:
        assert leftovers == [".data.new-abc", ".data.replaced", ".recipe.toml.new-def"]
        assert artefact.load("tensors")["x"].tolist() == [1, 1, 1]
    put(run, "data", [], value=2.0)
    shutil.copytree(artefact.path, artefact.path.with_name(".data.replaced"))
    with run.locked() as leftovers:
        assert leftovers == [".data.replaced"]
    assert artefact.load("tensors")["x"].tolist() == [2, 2, 2]
    assert list(run.path.glob(".data*")) == []


def test_a_folder_without_meta_is_unfinished(run: Run) -> None:
    artefact = put(run, "data", [])
    (artefact.path / "meta.json").unlink()
    assert not artefact.finished
    with pytest.raises(KdError, match="no data yet"):
        artefact.fresh("kd gen-data")


def test_damage_is_found_when_it_is_read(run: Run) -> None:
    artefact = put(run, "data", [])
    file = artefact.path / "tensors.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(KdError, match=r"tensors.safetensors is damaged") as problem:
        artefact.load("tensors")
    assert "kd gen-data" in problem.value.hint


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "\xff"])
def test_a_meta_that_is_none(run: Run, text: str) -> None:
    artefact = put(run, "data", [])
    (artefact.path / "meta.json").write_text(text, encoding="latin-1")
    with pytest.raises(KdError, match="damaged"):
        artefact.meta()


def test_a_newer_format_is_refused(run: Run) -> None:
    artefact = put(run, "data", [])
    path = artefact.path / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(KdError, match="newer kd"):
        artefact.meta()


def test_runs_and_the_current_one(outputs: Path, run: Run) -> None:
    store = Store(outputs)
    assert store.runs() == ["one"]
    with pytest.raises(KdError, match="no current run"):
        store.existing_run(None)
    store.make_current("one")
    assert store.existing_run(None).path == run.path
    with pytest.raises(UsageError, match=r"no run 'onee'; did you mean one\?"):
        store.existing_run("onee")


def test_a_marker_that_cannot_be_read(outputs: Path, run: Run) -> None:
    (outputs / "current").mkdir()
    with pytest.raises(KdError, match="cannot use"):
        Store(outputs).existing_run(None)


@pytest.mark.parametrize("name", ["", "../x", "/x", ".hidden", "a/b", "a\nb", "x" * 101, "current"])
def test_names_that_no_run_may_have(outputs: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Store(outputs).run(name)


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KdError, match="cannot use"):
        write_file(tmp_path / "file" / "x", b"")


def test_no_byte_of_meta_can_change_what_it_says(run: Run) -> None:
    artefact = put(run, "data", [])
    path = artefact.path / "meta.json"
    whole, meant = path.read_bytes(), artefact.meta()
    harmless, named = 0, 0
    for k in range(len(whole)):
        for changed in (whole[k] ^ 1, whole[k] ^ 0x20, 0x39):
            path.write_bytes(whole[:k] + bytes([changed]) + whole[k + 1 :])
            try:
                found = artefact.meta()
            except KdError as error:
                named += str(path) in error.message
            else:
                assert found == meant, k
                harmless += 1
    assert harmless + named == 3 * len(whole)
    assert harmless < 3 * len(whole) / 2  # blanks between its parts
    path.write_bytes(whole)
    record = json.loads(whole)
    path.write_text(json.dumps(record | {"metrics": {"accuracy": 1.0}}))
    with pytest.raises(KdError, match="is damaged"):
        artefact.meta()
    path.write_text(json.dumps(record | {"format": 2}))  # a seal is checked wherever there is one
    with pytest.raises(KdError, match="is damaged"):
        artefact.meta()


def test_a_record_of_before_seals_is_read(run: Run) -> None:
    artefact = put(run, "data", [])
    path = artefact.path / "meta.json"
    record = json.loads(path.read_text())
    del record["seal"]
    path.write_text(json.dumps(record | {"format": 2}))
    assert artefact.load("tensors")
    path.write_text(json.dumps(record))
    with pytest.raises(KdError, match="is damaged"):
        artefact.meta()


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, " " * 100], ids=["lists", "tables", "blank"]
)
def test_a_record_that_is_a_bomb_is_refused(run: Run, text: str) -> None:
    artefact = put(run, "data", [])
    (artefact.path / "meta.json").write_text(text)
    with pytest.raises(KdError, match="is damaged"):
        artefact.meta()


def test_a_record_of_absurd_size_is_refused_unread(run: Run) -> None:
    artefact = put(run, "data", [])
    with (artefact.path / "meta.json").open("r+b") as file:
        file.truncate(10**12)  # a hole: it takes no disk
    with pytest.raises(KdError, match="1,000,000,000,000 bytes"):
        artefact.meta()


def test_tensors_of_absurd_size_are_refused_unread(run: Run) -> None:
    artefact = put(run, "data", [])
    with (artefact.path / "tensors.safetensors").open("r+b") as file:
        file.truncate(10**13)  # a hole: it takes no disk
    with pytest.raises(KdError, match="10,000,000,000,000 bytes, and memory has"):
        artefact.load("tensors")


def header(shapes: Mapping[str, tuple[str, list[int], list[int]]]) -> bytes:
    text = json.dumps(
        {name: {"dtype": d, "shape": s, "data_offsets": o} for name, (d, s, o) in shapes.items()}
    ).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        (10**15).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]" + bytes(8),
        header({"a": ("F32", [10**9, 10**9, 10**9], [0, 8])}) + bytes(8),
        header({"a": ("F32", [2**62, 4], [0, 0])}),
        header({"a": ("F32", [2], [0, 2**63])}) + bytes(8),
        header({"a": ("F32", [2], [-8, 0])}) + bytes(8),
        header({"a": ("F32", [2], [0, 8]), "b": ("F32", [2], [4, 12])}) + bytes(12),
        header({"a": ("F32", [2], [0, 8]), "b": ("F32", [2], [0, 8])}) + bytes(8),
        header({"a": ("F32", [2], [8, 16])}) + bytes(16),
        header({"a": ("F32", [2], [0, 8])}) + bytes(99),
        header({"a": ("pickle", [2], [0, 8])}) + bytes(8),
        (80_000).to_bytes(8, "little") + b"[" * 80_000,
        pickle.dumps(print),
    ],
)
def test_a_hostile_header_is_refused_though_its_digest_is_right(run: Run, content: bytes) -> None:
    artefact = put(run, "data", [])
    forge(artefact.path, {"tensors.safetensors": content})
    with pytest.raises(KdError, match="is damaged"):
        artefact.load("tensors")


def test_no_symbolic_link_is_followed(run: Run, tmp_path: Path) -> None:
    artefact = put(run, "data", [])
    outside = tmp_path / "outside"
    artefact.path.rename(outside)
    artefact.path.symlink_to(outside)
    for forbidden in (
        artefact.meta,
        lambda: artefact.load("tensors"),
        lambda: put(run, "data", [], value=3.0),
    ):
        with pytest.raises(KdError, match="is a symbolic link"):
            forbidden()
    artefact.path.unlink()
    outside.rename(artefact.path)
    tensors = artefact.path / "tensors.safetensors"
    tensors.rename(outside)
    tensors.symlink_to(outside)
    with pytest.raises(KdError, match="is a symbolic link"):
        artefact.load("tensors")
