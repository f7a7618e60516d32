"""What the stages hand to each other: a run's artefacts as splits, models and curves.

Commands that read no tensors use it too, so torch is imported where tensors are.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from kdcli.data import Dataset, Description, Split, find_dataset
from kdcli.errors import KdError
from kdcli.metrics import measure_one
from kdcli.models import Model, parse_model
from kdcli.models.family import History
from kdcli.runs.recipe import Recipe, RecipeError, decode, parse
from kdcli.runs.schema import (
    SPLITS,
    check_history,
    check_logits,
    check_meta,
    check_splits,
    data_config,
    describe,
)
from kdcli.settings import flag, rules, unsaid
from kdcli.store import Artefact, DamagedError, Meta, NewerError, Run, is_newer
from kdcli.targets import one_hot

if TYPE_CHECKING:
    from torch import Tensor

    from kdcli.models.stack import Stack

T = TypeVar("T")


def run_recipe(run: Run) -> Recipe:
    """Read the recipe that a run keeps; raises `NewerError` for one that only a newer kd can read."""
    source = str(run.recipe_path)
    try:
        return parse(decode(run.read_recipe(), source), source)
    except RecipeError as error:
        if newer := _newer_artefact(run):
            raise NewerError(run.recipe_path, newer.version, newer.format, error.message) from None
        raise


def _newer_artefact(run: Run) -> NewerError | None:
    """Return the error for an artefact of a run that a newer kd wrote; None if there is none."""
    for artefact in (run.artefact("data"), run.artefact("teacher"), *run.students()):
        try:
            meta = artefact.meta() if artefact.finished else None
        except NewerError as error:
            return error
        except KdError:
            continue
        if meta and is_newer(version := meta.versions.get("kdcli", "")):
            return NewerError(artefact.path, version, meta.format)
    return None


def flags(recipe_part: Any, config: Mapping[str, Any]) -> str:
    """Return the flags that a recipe's teacher or students need to be made with this configuration."""
    kind = type(recipe_part)
    config = {**unsaid(kind), **config}
    words = ""
    for key in rules(kind):
        if key in config and config[key] != getattr(recipe_part, key):
            values = config[key] if isinstance(config[key], tuple) else (config[key],)
            words += "".join(f" {flag(kind, key)} {shlex.quote(str(value))}" for value in values)
    return words


@dataclass(frozen=True)
class Data:
    """A run's data: their kind, its options, what their record says of them, and their splits."""

    artefact: Artefact
    kind: Dataset[Any]
    config: Any
    description: Description
    splits: Mapping[str, Split]

    @property
    def heading(self) -> str:
        """What a heading calls the run: its name, and what its data are if they are no dataset of kd."""
        run = self.artefact.run.name
        return f"{run} ({self.description.name})" if self.description.own_files else run

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.description.n_classes

    @property
    def features(self) -> Sequence[int]:
        """Shape of one example."""
        return self.splits["train"].x.shape[1:]

    @property
    def beside(self) -> str:
        """The command that makes another run with the same data."""
        run = self.artefact.run
        dataset = run_recipe(run).dataset
        return f"kd gen-data {dataset}{self.description.source} --run NAME{run.store.flag}"

    def optimum(self) -> dict[str, float] | None:
        """Return what the Bayes classifier scores over the whole distribution; None if it is not known."""
        return self.kind.optimum(self.config)._asdict() if self.kind.optimum else None

    def bayes_scores(self) -> dict[str, float] | None:
        """Score the exact posterior on the test split: no model can expect to beat it. None if unknown."""
        test = self.splits["test"]
        if test.posterior is None:
            return None
        return measure_one(test.posterior.log(), test.y)

    def labels(self, split: str) -> Tensor:
        """One-hot labels of a split, features first: `(n_classes, n)`."""
        return one_hot(self.splits[split].y, self.n_classes).T.contiguous()


def read_meta(artefact: Artefact) -> Meta:
    """Read what `meta.json` says; raises `KdError` if it is no stage of kd that wrote it."""
    return checked(artefact, artefact.meta())


def checked(artefact: Artefact, meta: Meta) -> Meta:
    """Return what `meta.json` says; raises `KdError` if it is no stage of this kd that wrote it."""
    try:
        check_meta(artefact.name, meta)
    except ValueError as error:
        raise artefact.misread(meta, str(error)) from None
    return meta


def load_data(run: Run) -> Data:
    """Read a run's data; raises `KdError` naming the command that makes it."""
    artefact = run.artefact("data")
    meta = checked(artefact, artefact.fresh(run.making))
    dataset, config = data_config(meta.config)
    description = describe(meta)
    again = run.making + description.source
    tensors, _ = load_checked(artefact, "tensors", again, lambda tensors: check_splits(tensors, meta))
    splits = {
        name: Split(tensors[f"{name}.x"], tensors[f"{name}.y"], tensors.get(f"{name}.posterior"))
        for name in SPLITS
    }
    return Data(artefact, find_dataset(dataset), config, description, splits)


def load_checked(
    artefact: Artefact, file: str, again: str, check: Callable[[Mapping[str, Tensor]], T]
) -> tuple[dict[str, Tensor], T]:
    """Read stored tensors and what `check` makes of them, which raises ValueError if they make no sense.

    Raises `DamagedError` naming the command that makes them `again`.
    """
    try:
        tensors = artefact.load(file)
        return tensors, check(tensors)
    except DamagedError as error:
        path, why = error.path, error.why
    except ValueError as error:
        path, why = artefact.path / f"{file}.safetensors", str(error)
    raise DamagedError(path, artefact.path, again, why)


@dataclass(frozen=True)
class Trained:
    """A teacher, or the students of one set: what `meta.json` says of them, and their tensors.

    `again` is the command that makes the same again.
    """

    artefact: Artefact
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    again: str

    @property
    def model(self) -> Model:
        """The model's family and shape."""
        return parse_model(self.config["model"])

    @property
    def described(self) -> dict[str, list[float]]:
        """The numbers that describe each model, such as its leaves: a value per seed."""
        values = {name: self.metrics[name] for name in self.model.DESCRIBED}
        return {name: value if isinstance(value, list) else [value] for name, value in values.items()}

    @property
    def members(self) -> int:
        """Number of models: one for each seed."""
        return len(self.config.get("seeds", [0]))

    def load_model(self, data: Data) -> Stack:
        """Build the model, one member per seed, as it was stored."""

        def build(tensors: Mapping[str, Tensor]) -> Stack:
            return self.model.restore(tensors, data.features, data.n_classes, self.members)

        return self._load("model", build)[1]

    def load_logits(self, data: Data) -> Mapping[str, Tensor]:
        """Read a teacher's logits on each split, `(n, n_classes)`."""
        shapes = {name: (len(split.y), data.n_classes) for name, split in data.splits.items()}
        return self._load("logits", lambda tensors: check_logits(tensors, shapes))[0]

    def load_tested(self, data: Data) -> Tensor:
        """Read the logits of every seed on the test split, `(seeds, n, n_classes)`."""
        if "target" not in self.config:
            return self.load_logits(data)["test"].unsqueeze(0)
        shape = {"test": (self.members, len(data.splits["test"].y), data.n_classes)}
        return self._load("predictions", lambda tensors: check_logits(tensors, shape))[0]["test"]

    def load_history(self) -> History | None:
        """Read the learning curves; None of a model whose training has none."""
        if not self.model.CURVES:
            return None
        return History(**self._load("history", lambda tensors: check_history(tensors, self.members))[0])

    def _load(self, file: str, check: Callable[[Mapping[str, Tensor]], T]) -> tuple[dict[str, Tensor], T]:
        return load_checked(self.artefact, file, self.again, check)


def load_teacher(run: Run) -> Trained:
    """Read a run's teacher; raises `KdError` naming the command that trains it."""
    artefact = run.artefact("teacher")
    there = read_meta(artefact).config if artefact.finished else {}
    again = teacher_command(run, there)
    meta = artefact.fresh(again)
    return Trained(artefact, meta.config, meta.metrics, again)


def teacher_command(run: Run, config: Mapping[str, Any]) -> str:
    """Return the command that trains a teacher of this configuration; the rest is in the run's recipe."""
    made_with = flags(run_recipe(run).teacher, config) if config else ""
    return f"kd train-teacher{made_with}{run.flag}"
