import json
import math
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from harness import forge
from safetensors import SafetensorError

from kdcli.errors import KdError
from kdcli.store import (
    FORMAT,
    Artefact,
    Content,
    DamagedError,
    Meta,
    NewerError,
    OlderError,
    Run,
    Store,
)


@pytest.fixture
def run(outputs: Path) -> Run:
    run = Store(outputs).run("one")
    run.write_recipe("")
    return run


def put(run: Run, name: str, value: float = 0.0) -> Artefact:
    artefact = run.artefact(name)
    artefact.write("test", {}, {}, Content({"tensors": {"x": torch.full((3,), value)}}, {"score": [1]}, 0.5))
    return artefact


def loaded(artefact: Artefact) -> list[float]:
    values: list[float] = artefact.load("tensors", artefact.meta())["x"].tolist()
    return values


def leftovers(run: Run) -> list[str]:
    return [p.name for p in run.path.rglob(".*")]


def test_what_is_written_reads_back(run: Run) -> None:
    artefact = run.artefact("data")
    turned = torch.arange(6.0).view(2, 3).T  # not contiguous
    document = {"names": ("a", "ü"), "best": -math.inf}
    written = artefact.write(
        "gen-data",
        {"size": (2, 3)},
        {"other": "digest"},
        Content({"tensors": {"x": turned}}, {"n": [2]}, 0.1, {"device": "cpu"}, {"description": document}),
    )
    meta = artefact.meta()
    assert torch.equal(artefact.load("tensors", meta)["x"], turned)
    assert artefact.load_document("description", meta) == {"names": ["a", "ü"], "best": -math.inf}
    assert meta == written
    assert Meta.from_record(json.loads(json.dumps(meta.to_record()))) == meta
    assert (meta.stage, meta.config, meta.metrics) == ("gen-data", {"size": [2, 3]}, {"n": [2]})
    assert (meta.parents, meta.used, meta.format) == ({"other": "digest"}, {"device": "cpu"}, FORMAT)
    assert set(meta.files) == {"tensors.safetensors", "description.json"}
    assert meta.versions["torch"] == torch.__version__
    assert leftovers(run) == []


def test_the_digest_is_that_of_the_content(run: Run) -> None:
    first, again, other = (put(run, "data", value).meta().digest for value in (0.0, 0.0, 1.0))
    assert first == again != other


def test_an_infinite_metric_is_kept_as_strict_json(run: Run) -> None:
    artefact = run.artefact("data")
    artefact.write("test", {}, {}, Content({}, {"nll": [0.5, math.inf], "name": "x"}, 0.0))
    assert artefact.meta().metrics == {"nll": [0.5, math.inf], "name": "x"}
    text = (artefact.path / "meta.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["metrics"]["nll"] == [0.5, "Infinity"]


def test_a_failed_write_leaves_the_old_artefact(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    artefact = put(run, "data", 1.0)

    def no_room(*arguments: object, **options: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", no_room)
    with pytest.raises(KdError, match="No space left"):
        put(run, "data", 2.0)
    assert loaded(artefact) == [1, 1, 1]
    assert leftovers(run) == []


def test_a_replacement_cut_off_between_its_renames_is_undone_by_the_next_command(run: Run) -> None:
    artefact = put(run, "data", 1.0)
    artefact.path.rename(artefact.path.with_name(".data.replaced"))
    (run.path / ".data.new-abc").mkdir()
    (run.path / ".recipe.toml.new-def").write_text("half")
    assert not artefact.finished
    with run.locked() as leftovers:
        assert leftovers == [".data.new-abc", ".data.replaced", ".recipe.toml.new-def"]
        assert loaded(artefact) == [1, 1, 1]
    put(run, "data", 2.0)
    shutil.copytree(artefact.path, artefact.path.with_name(".data.replaced"))
    with run.locked() as leftovers:
        assert leftovers == [".data.replaced"]
    assert loaded(artefact) == [2, 2, 2]
    assert list(run.path.glob(".data*")) == []


def test_a_folder_without_meta_is_unfinished(run: Run) -> None:
    artefact = put(run, "data")
    (artefact.path / "meta.json").unlink()
    assert not artefact.finished
    assert artefact.has_tensors
    with pytest.raises(KdError, match=r"meta.json is missing"):
        artefact.meta()
    assert not run.artefact("a" * 300).finished


def test_damage_is_found_when_it_is_read(run: Run) -> None:
    artefact = run.artefact("data")
    content = Content({"tensors": {"x": torch.zeros(3)}}, {}, 0.5, documents={"words": {"a": 1}})
    meta = artefact.write("test", {}, {}, content)
    for name, read in (
        ("tensors.safetensors", lambda: artefact.load("tensors", meta)),
        ("words.json", lambda: artefact.load_document("words", meta)),
    ):
        file = artefact.path / name
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(
            DamagedError, match=f"{name} is damaged: it is not what the stage wrote"
        ) as damage:
            read()
        assert (damage.value.path, damage.value.artefact) == (file, artefact.path)
        file.unlink()
        with pytest.raises(DamagedError, match="it is missing"):
            read()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        f'{{"format": {FORMAT}}}',
        '{"format": "5"}',
        "\xff",
        "NaN",
        "[" * 100_000,
        " " * 100,
    ],
)
def test_a_meta_that_is_none(run: Run, text: str) -> None:
    artefact = put(run, "data")
    (artefact.path / "meta.json").write_text(text, encoding="latin-1")
    with pytest.raises(DamagedError, match="is damaged"):
        artefact.meta()


@pytest.mark.parametrize("number", [FORMAT + 1, 99])
def test_a_newer_format_is_refused(run: Run, number: int) -> None:
    artefact = put(run, "data")
    edit(artefact, format=number, more={"of": "it"})
    with pytest.raises(NewerError, match=f"newer kd .*format {number}"):
        artefact.meta()


@pytest.mark.parametrize("number", range(1, FORMAT))
def test_an_earlier_format_is_refused_whatever_it_says(run: Run, number: int) -> None:
    artefact = put(run, "data")
    edit(artefact, format=number, metrics=3, seal="0")
    with pytest.raises(OlderError, match=f"format {number} of an earlier kd; this kd reads {FORMAT}"):
        artefact.meta()


def edit(artefact: Artefact, **changed: object) -> None:
    path = artefact.path / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


@pytest.mark.parametrize(
    "changed",
    [
        {"files": []},
        {"files": {"tensors.safetensors": 1}},
        {"files": {"../data/tensors.safetensors": "0"}},
        {"parents": ["data"]},
        {"parents": {"data": 3}},
        {"config": []},
        {"config": {"x": float("nan")}},
        {"metrics": 3},
        {"seconds": "1"},
        {"used": {"device": 3}},
        {"created": 3},
        {"digest": None},
        {"more": 1},
    ],
)
def test_a_record_of_another_shape_is_damage(run: Run, changed: dict[str, object]) -> None:
    artefact = put(run, "data")
    edit(artefact, **changed)
    with pytest.raises(DamagedError, match="is damaged"):
        artefact.meta()


def test_what_a_damaged_record_says_is_refused_or_read_as_it_stands_and_never_of_other_files(
    run: Run,
) -> None:
    artefact = put(run, "data")
    path = artefact.path / "meta.json"
    whole, meant = path.read_bytes(), artefact.meta()
    for k in range(len(whole)):
        for changed in (whole[k] ^ 1, whole[k] ^ 0x20, 0x39):
            path.write_bytes(whole[:k] + bytes([changed]) + whole[k + 1 :])
            try:
                meta = artefact.meta()
            except (DamagedError, NewerError, OlderError):
                continue
            assert meta.to_record() == json.loads(path.read_bytes())
            assert (meta.files, meta.digest) == (meant.files, meant.digest)


def test_a_record_of_absurd_size_is_refused_unread(run: Run) -> None:
    artefact = put(run, "data")
    with (artefact.path / "meta.json").open("r+b") as file:
        file.truncate(10**12)  # a hole: it takes no disk
    with pytest.raises(KdError, match="1,000,000,000,000 bytes"):
        artefact.meta()


def test_tensors_of_absurd_size_are_refused_unread(run: Run) -> None:
    artefact = put(run, "data")
    with (artefact.path / "tensors.safetensors").open("r+b") as file:
        file.truncate(10**13)  # a hole: it takes no disk
    with pytest.raises(KdError, match="10,000,000,000,000 bytes, but only"):
        loaded(artefact)


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
    artefact = put(run, "data")
    forge(artefact.path, {"tensors.safetensors": content})
    with pytest.raises(KdError, match="is damaged"):
        loaded(artefact)


def test_no_symbolic_link_is_followed(run: Run, tmp_path: Path) -> None:
    artefact = put(run, "data")
    meta = artefact.meta()
    outside = tmp_path / "outside"
    artefact.path.rename(outside)
    artefact.path.symlink_to(outside)
    for forbidden in (
        artefact.meta,
        lambda: artefact.load("tensors", meta),
        lambda: put(run, "data", 3.0),
    ):
        with pytest.raises(KdError, match="is a symbolic link"):
            forbidden()
    artefact.path.unlink()
    outside.rename(artefact.path)
    tensors = artefact.path / "tensors.safetensors"
    tensors.rename(outside)
    tensors.symlink_to(outside)
    with pytest.raises(KdError, match="is a symbolic link"):
        loaded(artefact)
