"""Helpers for tests of whole commands: a tiny recipe, a run of it, and the outcome of a kd command line."""

import gzip
import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from kdcli.cli.main import main
from kdcli.data import Split
from kdcli.models.stacked_mlp import StackedMLP
from kdcli.runs.experiment import Experiment
from kdcli.runs.stored import Data, TrainedStudents
from kdcli.store import Content, Store
from kdcli.store.artefact import Artefact, digest_of

TINY = """
[data]
dataset = "gaussians"
n_samples = 200
n_test = 400

[teacher]
model = "mlp:8"
epochs = 20
learning_rate = 0.02

[students]
models = ["mlp:4"]
targets = ["labels", "soft"]
seeds = 2
epochs = 20
learning_rate = 0.02
"""

TWO_DRAWS = TINY.replace("n_samples", "draws = 2\nn_samples")


@dataclass
class Outcome:
    code: int
    out: str
    err: str


Kd = Callable[..., Outcome]


def finished(recipe: str, folder: Path) -> Path:
    """Run a recipe in a new outputs folder, and return that."""
    folder.joinpath("tiny.toml").write_text(recipe)
    before = os.environ.get("KD_OUTPUTS")
    os.environ["KD_OUTPUTS"] = str(folder / "outputs")
    try:
        with pytest.raises(SystemExit) as stopped:
            main(["run", str(folder / "tiny.toml"), "--quiet"])
    finally:
        if before is None:
            del os.environ["KD_OUTPUTS"]
        else:
            os.environ["KD_OUTPUTS"] = before
    assert stopped.value.code == 0
    return folder / "outputs"


def assert_calibrated(split: Split) -> None:
    """Each class must come up as often as the exact posterior says, in bands of it, within sampling error."""
    assert split.posterior is not None
    for k, p in enumerate(split.posterior.unbind(1)):
        for low in (0.05, 0.2, 0.35, 0.5, 0.65, 0.8):
            inside = (p >= low) & (p < low + 0.15)
            n = int(inside.sum())
            gap = float((split.y[inside] == k).double().mean() - p[inside].mean())
            assert abs(gap) < 4 * (0.25 / n) ** 0.5


def idx_file(values: Tensor, dtype: torch.dtype = torch.uint8) -> bytes:
    """Write values of any shape in the IDX format, as this type."""
    codes = {
        torch.uint8: 0x08,
        torch.int8: 0x09,
        torch.int16: 0x0B,
        torch.int32: 0x0C,
        torch.float32: 0x0D,
        torch.float64: 0x0E,
    }
    array = values.to(dtype).numpy()
    header = struct.pack(f">HBB{array.ndim}I", 0, codes[dtype], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def idx_images(x: Tensor) -> bytes:
    """Write images `(n, rows, columns)` uint8 in the IDX format."""
    return idx_file(x)


def idx_labels(y: Tensor) -> bytes:
    """Write labels `(n,)` in the IDX format."""
    return idx_file(y)


def idx_files(
    n_classes: int,
    size: tuple[int, int] = (28, 28),
    *,
    first: int = 0,
    pixels: torch.dtype = torch.uint8,
    labels: torch.dtype = torch.uint8,
    scale: float = 1,
) -> dict[str, bytes]:
    """Four files of the names of MNIST's: of each class 20 and 6 images that a network can tell apart.

    The labels count from `first`. The pixels are whole numbers from 0 to 229, times `scale`.
    """
    files = {}
    for part, n, seed in (("train", 20, 0), ("t10k", 6, 1)):
        random = torch.Generator().manual_seed(seed)
        y = torch.arange(n * n_classes) % n_classes
        x = torch.randint(0, 80, (len(y), *size), generator=random)
        for image, label in zip(x, y.tolist(), strict=True):
            image.view(-1)[7 * label : 7 * label + 8] += 150
        files[f"{part}-images-idx3-ubyte"] = idx_file(x * scale, pixels)
        files[f"{part}-labels-idx1-ubyte"] = idx_file(y + first, labels)
    return files


def small_mnist() -> dict[str, bytes]:
    """Four files like those of MNIST, with 200 and 60 images that a network can tell apart."""
    files = {}
    for part, n, seed in (("train", 200, 0), ("t10k", 60, 1)):
        random = torch.Generator().manual_seed(seed)
        y = torch.arange(n) % 10
        x = torch.randint(0, 80, (n, 28, 28), generator=random)
        for image, label in zip(x, y.tolist(), strict=True):
            image[2 * label : 2 * label + 3] += 150
        files[f"{part}-images-idx3-ubyte"] = idx_images(x.to(torch.uint8))
        files[f"{part}-labels-idx1-ubyte"] = idx_labels(y)
    return files


def write_files(folder: Path, files: Mapping[str, bytes], *, packed: bool = True) -> Path:
    """Write files into a new folder, gzipped or not."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        file, stored = (f"{name}.gz", gzip.compress(content)) if packed else (name, content)
        (folder / file).write_bytes(stored)
    return folder


def forge(folder: Path, contents: Mapping[str, bytes] | None = None, **changed: Any) -> None:
    """Change files and the record of an artefact, with digests that match, as a user might.

    The artefacts that were made from it then count as made from the changed one.
    """
    path = folder / "meta.json"
    record = {**json.loads(path.read_text()), **changed}
    for name, content in (contents or {}).items():
        (folder / name).write_bytes(content)
        record["files"][name] = hashlib.sha256(content).hexdigest()
    before, record["digest"] = record["digest"], digest_of(record["files"])
    path.write_text(json.dumps(record))
    for child in folder.parent.rglob("meta.json"):
        record_of_child = json.loads(child.read_text())
        parents = record_of_child["parents"]
        if isinstance(parents, dict) and parents.get(folder.name) == before:
            parents[folder.name] = record["digest"]
            child.write_text(json.dumps(record_of_child))


def opened(run: Path) -> Experiment:
    """Open the run in a folder, as it is now."""
    return Experiment.open(Store(run.parent).run(run.name))


def write_again(experiment: Experiment, name: str, **tensors: Any) -> None:
    """Write an artefact again with some of its tensors; without any, its content differs as well."""
    stored = experiment.stored(name)
    assert stored is not None
    documents = {"description": stored.description.to_record()} if isinstance(stored, Data) else {}
    content = Content(tensors, stored.meta.metrics, 0.1, documents=documents)
    experiment.write(name, stored.record, content)


def students(run: Path, name: str) -> TrainedStudents:
    """Return the students of a set, as they are now."""
    (trained,) = [trained for trained in opened(run).students() if trained.folder == name]
    return trained


def edit_recipe(run: Path, old: str, new: str) -> None:
    """Change a run's recipe by hand."""
    path = run / "recipe.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def compared(kd: Kd) -> dict[str, Any]:
    """Return the document of `kd compare`."""
    made: dict[str, Any] = json.loads(kd("compare", "--json").out)
    return made


def compared_run(kd: Kd, recipe: str) -> dict[str, Any]:
    """Run a recipe and return what its comparison found."""
    Path("made.toml").write_text(recipe)
    outcome = kd("run", "made.toml", "--quiet")
    assert outcome.code == 0, outcome.err
    return compared(kd)


BAD_TEACHER = TINY.replace('model = "mlp:8"\nepochs = 20', 'model = "mlp:8"\nepochs = 1').replace(
    "seeds = 2", "seeds = 5"
)


def in_part(task: Mapping[str, Any], members: Sequence[int], draw: int = 0) -> list[int]:
    """Return the positions in a part of a training of those members of a draw that it trains.

    Member s · sets + t of a draw has the seed s and the set t.
    """
    draws, seeds, sets = task["draws"], task["seeds"], task["sets"]
    if draw not in draws:
        return []
    first = draws.index(draw) * len(seeds)
    return [(first + seeds.index(m // sets)) * sets + m % sets for m in members if m // sets in seeds]


def poison_last_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the last member of each stack of perceptrons begin with a weight that is not a number."""
    initialise = StackedMLP.initialise

    def poisoned(stack: StackedMLP, generators: Sequence[Generator]) -> None:
        initialise(stack, generators)
        with torch.no_grad():
            stack.weights[0][-1, 0, 0] = torch.nan

    monkeypatch.setattr(StackedMLP, "initialise", poisoned)


@contextmanager
def interrupted_after_one_write(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Interrupt kd when it writes a second artefact; yields the names of those that were written."""
    stored: list[str] = []
    write = Artefact.write

    def interrupted(self: Artefact, *arguments: Any, **options: Any) -> None:
        if stored:
            raise KeyboardInterrupt
        write(self, *arguments, **options)
        stored.append(self.name)

    with monkeypatch.context() as context:
        context.setattr(Artefact, "write", interrupted)
        yield stored
