"""Misuse at random: argument lines, recipes, damaged and forged artefacts, damaged IDX files.

`KD_FUZZ=40 pytest tests/test_fuzz.py` tries forty times as many, at random: 5000 lines, and 2000 of all else.
"""

import gzip
import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pooch
import pytest
import requests
import tomli_w
import torch
import typer
from customers import customers
from fuzzing import trials
from harness import TWO_DRAWS, Kd, forge, idx_files, write_files
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from safetensors.torch import load_file, save
from torch import Tensor

from kdcli.cli.main import app
from kdcli.data import SPLITS
from kdcli.runs.recipe_reading import RecipeError, parse
from kdcli.runs.recipe_text import dump
from kdcli.runs.recipes import load

pytestmark = pytest.mark.long

CODES = (0, 1, 2)
OWN = ("outputs", "other", ".hypothesis")  # what kd may write to here


@dataclass
class World:
    """A working folder with a finished run of two draws, which is put back whenever something changed it."""

    kd: Kd
    root: Path
    whole: Path
    seen: list[tuple[str, int, int]] = field(default_factory=list, repr=False)

    @property
    def run(self) -> Path:
        return self.root / "outputs/tiny"

    def call(self, *arguments: str) -> tuple[int, str, str]:
        """Run kd; whatever its input, it must succeed, or report what is wrong."""
        before = self.outside()
        outcome = self.kd(*arguments)
        assert outcome.code in CODES
        assert self.outside() == before
        if outcome.code and "--csv" not in arguments and "check" not in arguments:
            told = json.loads(outcome.out)["error"] if "--json" in arguments else outcome.err
            if not arguments:  # the help page tells
                told = outcome.out
            assert told.strip()
        return outcome.code, outcome.out, outcome.err

    def checked(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.call("check", "--json")[1])
        return found

    def damaged(self) -> int:
        return int(self.checked()["damaged"])

    def restore(self) -> None:
        for name in ("other", "fuzz.toml"):
            path = self.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if self._signature() != self.seen:
            shutil.rmtree(self.root / "outputs", ignore_errors=True)
            shutil.copytree(self.whole, self.root / "outputs")
            self.seen = self._signature()

    def _signature(self) -> list[tuple[str, int, int]]:
        stats = [(str(p), p.lstat()) for p in sorted((self.root / "outputs").rglob("*"))]
        return [(name, stat.st_mtime_ns, stat.st_size) for name, stat in stats]

    def outside(self) -> list[tuple[str, bytes]]:
        """Return all files that are not kd's to write."""
        files = [
            p for p in self.root.rglob("*") if p.is_file() and p.relative_to(self.root).parts[0] not in OWN
        ]
        return sorted((str(p), p.read_bytes()) for p in files)


@pytest.fixture
def world(
    kd: Kd,
    two_draws: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    set_hypothesis_home_dir(tmp_path / ".hypothesis")
    Path("tiny.toml").write_text(TWO_DRAWS.replace("epochs = 20", "epochs = 2"))
    customers(rows=60)
    Path("precious").mkdir()
    Path("precious/file").write_text("not kd's")
    assert kd("run", "tiny.toml", "--force", "--quiet").code == 0
    whole = tmp_path_factory.mktemp("whole") / "outputs"
    shutil.copytree("outputs", whole)

    def offline(*arguments: object, **options: object) -> None:
        raise requests.ConnectionError

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **options: offline)
    monkeypatch.setattr(typer, "launch", lambda path: 0)
    monkeypatch.setattr(sys, "stdin", StringIO())
    yield World(kd, tmp_path, whole)
    set_hypothesis_home_dir(None)


# Argument lines: what a hand may slip into, and what is right often enough to get further. No training is
# long, and no folder outside is named as the outputs folder.

ANYTHING = st.one_of(
    st.sampled_from(
        ["", "x", "-1", "0", "1", "2.5", "1e999", "nan", "inf", "--", "-", "∞", "\0", "\n", "[bold]"]
    ),
    st.sampled_from(["../x", "/", "/etc/passwd", "a" * 300, "9" * 5000, "%s", "{}", "mlp:4", "tree", "soft"]),
    st.text(max_size=12),
)
LIKELY = {
    "--outputs": ["outputs", "other", "tiny.toml", "precious/file", "/proc/nothing"],
    "--run": ["tiny", "fuzz", "current", ".locks", "tinny"],
    "--recipe": ["tiny.toml", "gaussians", "moons", "mnist", "nothing.toml", "precious"],
    "--draws": ["1", "2", "3", "0", "1001", "1.5", "-2", "two", "1e999", "9" * 5000],
    "--source": ["precious", "nowhere", "tiny.toml"],
    "--n-samples": ["4", "40", "200", "3", "1000000000000"],
    "--n-rows": ["0", "30", "1", "-1"],
    "--n-test": ["2", "50", "1000000000000"],
    "--n-val": ["10", "1000"],
    "--separation": ["0.1", "4", "1e300"],
    "--noise": ["0.1", "1e300", "1e-300"],
    "--val-fraction": ["0.1", "0.5", "0.99", "1"],
    "--ensemble": ["1", "2", "3", "0", "101"],
    "--seed": ["0", "7", "123456789012345678901234567890"],
    "--test-fraction": ["0.2", "0.001", "0.999", "1"],
    "--digest": ["", "0" * 64, "x"],
    "--file": ["customers.csv", "precious", "nothing.npz", "tiny.toml"],
    "--label": ["left", "plan", "6", "7", "0", "customerID", "lft"],
    "--test": ["customers.csv", "tiny.toml", "nothing.csv"],
    "--val": ["customers.csv", "precious"],
    "--split": ["plan", "active", "nothing"],
    "--group": ["plan", "customerID", "left", "nothing"],
    "--time": ["age", "spent", "plan", "nothing"],
    "--drop": ["age", "1,2", "customerID,age,plan,active,spent", "left"],
    "--numeric": ["age", "plan", "customerID", "left"],
    "--categorical": ["age", "plan", "customerID", "left"],
    "--missing": ["basic", "no", "yes,no"],
    "--separator": [";", ",", "ab", "\t"],
    "--decimal": [",", ".", ";"],
    "--image-size": ["0", "8", "1025"],
    "--select": ["best", "last", "first"],
    "--class-weight": ["none", "balanced", "heavy"],
    "--model": [
        "mlp:8",
        "mlp:4",
        "mlp:4,4",
        "mlp:1000000,1000000",
        "tree",
        "tree:max_depth=2",
        "forest:2,max_depth=2",
        "gbdt:rounds=2,leaves=3",
        "cnn:2,3",
        "2*mlp:4",
        "mlp:4+tree",
        "mlp:",
    ],
    "--epochs": ["1", "2", "2", "0", "2.5"],
    "--batch-size": ["0", "1", "50", "1000000000000"],
    "--learning-rate": ["0.01", "1e17", "1e30", "1e-300", "0"],
    "--schedule": ["linear", "constant", "cosine"],
    "--precision": ["bfloat16", "float32", "auto"],
    "--device": ["cpu", "cuda", "auto"],
    "--target": [
        "labels",
        "hard,soft",
        "soft,bayes",
        "smooth",
        "shuffled",
        "self,random",
        "bayes-soft",
        "labels,,",
    ],
    "--temperature": ["1", "1,4", "20", "0.01", "1001", "1,,4", "auto", "1,auto"],
    "--transfer": ["train", "train:40", "train:40+rest", "train+munge:1", "train+duplicate:2", "train:1000"],
    "--labels-from": ["target", "teacher", "original", "nobody"],
    "--within": ["0", "0.5", "100", "-1"],
    "--of": ["best", "teacher", "labels"],
    "--by": ["class", "plan", "", "x1"],
    "--latency": ["1ms", "1us", "3", "ms"],
    "--size": ["100kB", "1B", "kB"],
    "--out": ["-", "p.txt"],
    "--keep": ["age", "nothing"],
    "--score": ["left", "nothing"],
    "--draw": ["0", "1", "9"],
    "--folds": ["0", "1", "2", "1000"],
    "--from": ["customers.csv", "nothing.onnx", "nothing.py:predict", "precious/file", "command:true"],
    "--id": ["customerID", "nothing"],
    "--timeout": ["1", "0", "600"],
    "--scaling": ["unit", "raw", "half"],
    "--smoothing": ["0.3", "1", "0.999999", "auto", "nought"],
    "--study": ["mine", "tiny", "../x"],
    "--engine": ["local", "dask", "nobody"],
    "--address": ["tcp://127.0.0.1:1", "nowhere"],
    "--shard": ["1/2", "3/2", "slurm", "half"],
    "--merge": ["precious", "nothing"],
    "--reproducible": ["machine", "portable", "everywhere"],
    "--label-weight": ["0.5", "1", "1.5"],
    "--seeds": ["1", "2", "3", "0", "1000000000000"],
    "--jobs": ["1", "0", "two", "1000000000000"],
    "--name": ["mine", "soft-T4-mlp4", "../x", "labels-mlp4"],
    "--format": ["svg", "pdf", "gif", "rules"],
    "--metric": ["ece", "brier,kl_teacher", "nothing"],
    "--control": ["hard", "soft-T4", "labels-mlp4", "bayes"],
}
POSITIONS = {
    "gen-data": ["gaussians", "moons", "digits", "mnist", "tiny", "customers.csv", "precious", "nothing.csv"],
    "run": ["tiny.toml", "nothing.toml", "gausians"],
    "sweep": ["tiny.toml", "nothing.toml", "moons-nois"],  # none that can be made: that takes its time
    "runs": ["tiny", "mine"],
    "plot": ["learning-curves", "differences", "reliability", "nothing"],
    "delete": ["tiny", "fuzz", "..", "precious"],
    "show": ["tiny", "tinny"],
    "check": ["tiny", "tinny"],
    "compare": ["tiny", "tinny"],
    "choose": ["tiny", "tinny"],
    "export": ["labels-mlp4", "soft-T4-mlp4", "nothing"],
    "predict": ["labels-mlp4", "soft-T4-mlp4", "nothing"],
    "use": ["tiny", "..", "fuzz"],
    "recipe": ["tiny.toml", "mnist", "precious"],
    "explain": ["temperature", "soft, T = 4", "temprature", "nothing"],
}
GUARDED = {
    "--draws",
    "--epochs",
    "--from",
    "--out",
    "--outputs",
    "--seeds",
}  # where anything could take for ever, or lead out of here


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    name = draw(st.sampled_from(sorted(commands)))
    line = [name]
    if name in POSITIONS and draw(st.booleans()):
        line.append(
            draw(
                st.sampled_from(POSITIONS[name]) | ANYTHING
                if name != "run"
                else st.sampled_from(POSITIONS[name])
            )
        )
    elif name == "run":
        line.append("tiny.toml")  # the built-in ones take their time
    options = [param for param in commands[name].params if param.param_type_name == "option"]
    for param in draw(st.lists(st.sampled_from(options), max_size=5)):
        option = draw(st.sampled_from(param.opts))
        line.append(option)
        if not param.is_flag:
            likely = st.sampled_from(LIKELY[param.opts[0]])
            guarded = param.opts[0] in GUARDED or (name == "run" and param.opts[0] == "--recipe")
            line.append(draw(likely if guarded else st.one_of(likely, likely, ANYTHING)))
    slips = ["", "twist", "drop", "add"]
    match draw(st.sampled_from(slips)) if not GUARDED & set(line) and name != "run" else "":
        case "twist":
            line[-1] = line[-1][::-1]
        case "drop":
            del line[-1]
        case "add":
            line.insert(draw(st.integers(0, len(line))), draw(ANYTHING))
    return line


@given(line=lines())
@example(line=["--version"])
@example(line=["--help", "x"])
@trials(125)
def test_no_argument_line_ends_in_a_traceback_or_damages_anything(world: World, line: list[str]) -> None:
    assume("--install-completion" not in line)
    world.restore()
    code, out, _ = world.call(*line)
    if code == 0 and "--json" in line and "--help" not in line:
        json.loads(out)
    assert world.damaged() == 0


VALUES = st.recursive(
    st.one_of(
        st.integers(-3, 5),
        st.sampled_from(
            [10**12, 10**30, 10**400, 1e300, math.nan, math.inf, -0.0, 0.5, True, "", "mlp:4", "tree", "soft"]
        ),
        st.text(max_size=8),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
KEYS = st.sampled_from(
    [
        *(
            "dataset",
            "draws",
            "n_samples",
            "n_test",
            "val_fraction",
            "seed",
            "separation",
            "noise",
            "n_val",
            "model",
        ),
        *("epochs", "batch_size", "learning_rate", "schedule", "models", "targets", "temperatures", "seeds"),
    ]
)


@st.composite
def recipes(draw: st.DrawFn) -> bytes:
    tables: dict[str, Any] = {
        "data": {"dataset": draw(st.sampled_from(["gaussians", "moons", "digits"]))},
        "teacher": {"model": "mlp:4", "epochs": 2},
        "students": {"models": ["tree"], "targets": ["labels", "soft"], "seeds": 2},
    }
    for _ in range(draw(st.integers(0, 3))):
        section = draw(st.sampled_from(["data", "data", "teacher", "students", "more"]))
        tables.setdefault(section, {})[draw(KEYS | st.text(max_size=5))] = draw(VALUES)
    if draw(st.booleans()):
        tables[draw(st.sampled_from(["data", "teacher", "students"]))] = draw(VALUES)
    text = tomli_w.dumps(tables).encode()
    for _ in range(draw(st.integers(0, 2))):
        at, more = (
            draw(st.integers(0, len(text))),
            draw(st.binary(max_size=4) | st.sampled_from([b"[", b'"', b"="])),
        )
        text = text[:at] + more + text[at + draw(st.integers(0, 4)) :]
    return text


@given(recipe=recipes())
@trials(50)
def test_no_recipe_ends_in_a_traceback(world: World, recipe: bytes) -> None:
    world.restore()
    Path("fuzz.toml").write_bytes(recipe)
    code, _, err = world.call("gen-data", "--recipe", "fuzz.toml")
    try:
        read = load("fuzz.toml")
    except RecipeError:
        assert code == 2
        assert "fuzz.toml" in err
    else:
        assert parse(dump(read), "again") == read
        assert code == 0 or err
    assert world.damaged() == 0


READERS = (
    ["compare", "--json"],
    ["plot", "learning-curves", "--json"],
    ["show", "--json"],
    ["runs", "--json"],
    ["distill", "--target", "soft,hard", "--json"],
    ["train-teacher", "--json"],
    ["train-teacher", "--epochs", "3", "--force"],
    ["gen-data", "--recipe", "tiny.toml"],
    ["run", "tiny.toml", "--json"],
    ["delete", "tiny", "--yes"],
)


def evidence(text: str) -> Any:
    """Return the result of a comparison, without the latencies."""

    def without_times(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: without_times(v) for k, v in value.items() if not k.startswith("latency")}
        return [without_times(item) for item in value] if isinstance(value, list) else value

    return without_times(json.loads(text))


@given(data=st.data())
@trials(50)
def test_damage_is_found_and_changes_no_result(world: World, data: st.DataObject) -> None:
    world.restore()
    told = evidence(world.call("compare", "--json")[1])
    artefacts = (*world.run.glob("data/*"), *world.run.glob("teacher/*"), *world.run.glob("students/*/*"))
    files = sorted([*artefacts, world.run / "recipe.toml"])
    path = data.draw(st.sampled_from(files))
    content = path.read_bytes()
    kind = data.draw(
        st.sampled_from(["flip", "cut", "more", "other", "gone", "folder", "link", "swap", "hole"])
    )
    damage(data.draw, kind, path, files)
    edited = path.name == "recipe.toml" or is_record(path, content)  # by a person: what makes sense is taken
    if not edited and (kind != "hole" or path.name == "meta.json"):  # to hash a terabyte takes its time
        states = {item["state"] for item in world.checked()["runs"][0]["artefacts"]}
        assert states != {"fresh"} or says_the_same(path, content)
    hashing = ("show", "runs", "delete")
    reader = data.draw(st.sampled_from([one for one in READERS if kind != "hole" or one[0] not in hashing]))
    code, out, _ = world.call(*reader)
    if code == 0 and reader[0] == "compare" and not edited:
        assert evidence(out) == told


def damage(draw: st.DrawFn, kind: str, path: Path, files: list[Path]) -> None:
    """Damage a file, or put something else in its place."""
    content = path.read_bytes()
    at = place(draw, content)
    match kind:
        case "flip":
            path.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        case "cut":
            path.write_bytes(content[:at])
        case "more":
            path.write_bytes(content + b" ")
        case "other":
            path.write_bytes(draw(st.binary(max_size=200)))
        case "gone":
            path.unlink()
        case "folder":
            path.unlink()
            path.mkdir()
        case "link":
            path.unlink()
            path.symlink_to(Path("precious/file").absolute())
        case "swap":
            other = draw(st.sampled_from(files))
            path.write_bytes(other.read_bytes())
        case "hole":
            os.truncate(path, 10**12)


def place(draw: st.DrawFn, content: bytes) -> int:
    """Draw where to damage a file, at its beginning more often than elsewhere."""
    share = draw(st.floats(0, 1, exclude_max=True))
    return int(share ** draw(st.sampled_from([1, 4])) * len(content))


def is_record(path: Path, before: bytes) -> bool:
    """Whether this is a `meta.json` of the same files and parents, whatever else it says."""
    if path.name != "meta.json" or not path.is_file() or path.is_symlink() or path.stat().st_size > 10**9:
        return False
    try:
        after, told = json.loads(path.read_bytes()), json.loads(before)
        return all(after[key] == told[key] for key in ("format", "files", "digest", "parents"))
    except (ValueError, TypeError, KeyError):
        return False


def says_the_same(path: Path, before: bytes) -> bool:
    """Whether a damaged file is unchanged."""
    if not path.is_file() or path.is_symlink() or path.stat().st_size > 10**9:
        return False
    return path.read_bytes() == before


FORGED = st.one_of(
    VALUES.filter(lambda value: "nan" not in repr(value) and "inf" not in repr(value)),
    st.sampled_from(
        [None, [0, 0], [1, 0], list(range(50)), "../x", "Infinity", "gaussians", "mlp:1000000,1000000"]
    ),
)


def changed(draw: st.DrawFn, value: Any) -> Any:
    """Change a value somewhere within."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(value)))
        if not draw(st.integers(0, 5)):
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: changed(draw, value[key])}
    return draw(FORGED)


def forge_tensors(draw: st.DrawFn, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    name = draw(st.sampled_from(sorted(tensors)))
    value = tensors[name]
    kinds = [torch.float64, torch.int64, torch.uint8, torch.bool, torch.float16]
    match draw(st.sampled_from(["gone", "flat", "half", "type", "least", "most", "more"])):
        case "gone":
            return {k: v for k, v in tensors.items() if k != name}
        case "flat":
            value = value.flatten()
        case "half":
            value = value[: max(1, len(value) // 2)].clone() if value.ndim else value
        case "type":
            value = value.to(draw(st.sampled_from(kinds)))
        case "least":
            value = torch.full_like(value, math.nan if value.is_floating_point() else -1)
        case "most":
            value = torch.full_like(value, math.inf if value.is_floating_point() else 127)
        case "more":
            return {**tensors, "more": torch.zeros(3)}
    return {**tensors, name: value}


@st.composite
def forgeries(draw: st.DrawFn) -> Any:
    """Return a function that forges an artefact of a run: its record or a file, with matching digests."""
    name = draw(st.sampled_from(["data", "teacher", "students/labels-mlp4", "students/soft-T4-mlp4"]))
    keys = ["config", "config", "config", "metrics", "metrics", "parents", "used", "versions", "created"]

    def apply(run: Path) -> None:
        folder = run / name
        record = json.loads((folder / "meta.json").read_text())
        if draw(st.booleans()):
            key = draw(st.sampled_from(keys))
            forge(folder, **{key: changed(draw, record[key])})
            return
        file = draw(st.sampled_from(sorted(record["files"])))
        if file.endswith(".json"):
            content = json.dumps(changed(draw, json.loads((folder / file).read_bytes()))).encode()
        else:
            tensors = forge_tensors(draw, load_file(folder / file))
            content = save({k: v.contiguous() for k, v in tensors.items()})
        forge(folder, {file: content})

    return apply


@given(data=st.data())
@trials(50)
def test_no_forged_artefact_ends_in_a_traceback(world: World, data: st.DataObject) -> None:
    world.restore()
    data.draw(forgeries())(world.run)
    world.call(*data.draw(st.sampled_from(READERS)))
    world.call("check")


@given(data=st.data())
@trials(50)
def test_no_damaged_idx_file_ends_in_a_traceback(world: World, data: st.DataObject) -> None:
    world.restore()
    floats, whole = [torch.float32, torch.float64], [torch.uint8, torch.int8, torch.int16, torch.int32]
    pixels = data.draw(st.sampled_from([*floats, torch.uint8, torch.int16, torch.int32]))
    files = idx_files(10, pixels=pixels, labels=data.draw(st.sampled_from([*whole, *floats])))
    name = data.draw(st.sampled_from(sorted(files)))
    packed = data.draw(st.booleans())
    content = gzip.compress(files[name]) if packed else files[name]
    at = place(data.draw, content)
    more = data.draw(st.binary(max_size=6))
    content = content[:at] + more + content[at + data.draw(st.sampled_from([0, len(more), 1, 10**9])) :]
    folder = Path("other/mnist")
    write_files(folder, {k: v for k, v in files.items() if k != name}, packed=False)
    (folder / (f"{name}.gz" if packed else name)).write_bytes(content)
    draws = str(data.draw(st.integers(1, 3)))
    small = ("--n-val", "50", "--draws", draws, "--run", "fuzz")
    code, _, err = world.call("gen-data", "mnist", "--source", str(folder), *small)
    assert code == 0 or "-ubyte" in err or "split" in err
    if code == 0:
        made = load_file(world.root / "outputs/fuzz/data/tensors.safetensors")
        labels = [of_draw for split in SPLITS for of_draw in made["y"][made[split]]]
        assert {int(of_draw.max()) for of_draw in labels} == {9}
    assert world.damaged() == 0
