"""`kd gen-data`: sample or load a dataset, split it, and store its tensors. Makes the run."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kdcli.data import DATASETS, Dataset, Description, Sample
from kdcli.data.dataset import Drawn
from kdcli.data.sources import Bar, fingerprint, published, read_files, unseen
from kdcli.errors import Command, KdError, UsageError
from kdcli.progress import Watch, unwatched
from kdcli.report.columns import columns_table
from kdcli.report.data import sizes_text
from kdcli.report.sentences import scores_text
from kdcli.report.told import Line, Told
from kdcli.report.words import wrote
from kdcli.runs import room
from kdcli.runs.experiment import Experiment
from kdcli.runs.kinds import DATA
from kdcli.runs.recipe import Recipe
from kdcli.runs.recipe_text import dump
from kdcli.runs.records import DataRecord
from kdcli.runs.reuse import reusable
from kdcli.runs.source import absolute
from kdcli.runs.stored import Data
from kdcli.runs.transfer import resolved
from kdcli.settings import flag, flags_given, override
from kdcli.store import Content, NewerError, named_run


@dataclass(frozen=True)
class DataMade:
    """What `kd gen-data` wrote."""

    run: str
    path: Path
    up_to_date: bool
    description: Description

    def told(self) -> Iterator[Told]:
        """Return the sizes of the data, the Bayes optimum, and the path."""
        description = self.description
        yield f"run {self.run}: {description.name}, {sizes_text(description)}"
        if not self.up_to_date:
            yield from _recognised(description)
        if bayes := description.bayes:
            yield f"Bayes optimum: {scores_text(bayes._asdict())}"
        yield wrote(self.path, self.up_to_date)

    def document(self) -> dict[str, Any]:
        """Return the path, and what the data are."""
        description = self.description
        return {
            "run": self.run,
            "path": self.path,
            "up_to_date": self.up_to_date,
            "dataset": description.name,
            "draws": description.draws,
            "features": description.shape,
            **description.facts(),
        }


def _recognised(description: Description) -> Iterator[Told]:
    """Show how the columns of a table are read, and what else was recognised."""
    if description.decisions:
        yield columns_table(description)
    if hints := [column.hint for column in description.decisions if column.hint]:
        yield Line(f"• flags take the name of the column: {hints[0]}", wrap=True)
    yield from (Line(f"• {note}", wrap=True) for note in description.notes)


@dataclass(frozen=True)
class Looked:
    """The description of data, before anything is written."""

    description: Description

    def told(self) -> Iterator[Told]:
        """Return how each column is read, and what else was recognised."""
        yield from _recognised(self.description)
        yield f"{self.description.name}, {sizes_text(self.description)}"
        yield "nothing was written"

    def document(self) -> dict[str, Any]:
        """Return the description."""
        return self.description.to_record()


def look(recipe: Recipe, options: Mapping[str, Any], watch: Watch = unwatched) -> Looked:
    """Read the user's own data as `gen_data` does, but write nothing."""
    dataset = DATASETS[recipe.dataset]
    if not dataset.opened:
        example = Command("gen-data", ("FILE",), {"label": "COLUMN", "dry_run": True})
        raise UsageError("--dry-run is for data of your own", ("for example ", example))
    config, sample = dataset.opened(override(recipe.data, options), watch)
    return Looked(_described(DataRecord(recipe.dataset, config), sample()))


def gen_data(
    experiment: Experiment,
    recipe: Recipe,
    options: Mapping[str, Any],
    *,
    adopt: bool,
    force: bool = False,
    source: Path | None = None,
    current: bool = True,
    bar: Bar = unseen,
    watch: Watch = unwatched,
) -> DataMade:
    """Make a run's data from a recipe, its data section changed by `options`.

    With `current`, the run becomes the current one unless KD_RUN is set. An existing run keeps the rest of
    its recipe, unless `adopt` replaces it by this one. A dataset that is read from files takes them from the
    folder `source`, or downloads them. Raises `UsageError` for options that the dataset does not have, and
    `KdError` if the run holds other data or another recipe and `force` is not given, or if the data would not
    fit in memory or on the disk.
    """
    run = experiment.run.no_study()
    dataset = DATASETS[recipe.dataset]
    config = override(recipe.data, options)
    if problems := dataset.problems(config):
        raise UsageError("; ".join(problems))
    config, sample = dataset.opened(config, watch) if dataset.opened else (config, None)
    recipe, contents = _with_paths(recipe, config, adopt), _contents(recipe.dataset, source)
    there = run.recipe_path.is_file()
    record = DataRecord(recipe.dataset, config, _fingerprint(dataset, contents, experiment))
    given = list(flags_given(options)) if there and not adopt else None
    up_to_date = reusable(experiment, DATA, record, force=force, given=given)
    adopts = adopt and (not there or _replaces(experiment, recipe, force))
    if not up_to_date:
        _check_room(dataset.points(config), config, run.path)
        _make(experiment, recipe, record, sample or (lambda: _sampled(experiment, record, contents, bar)))
    elif adopts:
        experiment.adopt(dump(recipe))
    if current and named_run() is None:  # a shell with its own KD_RUN does not change that of other shells
        run.store.make_current(run.name)
    return DataMade(run.name, run.artefact(DATA).path, up_to_date, experiment.data.description)


def _with_paths(recipe: Recipe, config: Any, adopt: bool) -> Recipe:
    """Return a recipe with these data; a recipe to be adopted names its files by absolute paths."""
    if not adopt:
        return replace(recipe, data=config)
    students = replace(recipe.students, transfer=resolved(recipe.students.transfer))
    teacher = replace(recipe.teacher, source=absolute(recipe.teacher.source))
    return replace(recipe, data=config, students=students, teacher=teacher)


def _sampled(experiment: Experiment, record: DataRecord, contents: Mapping[str, bytes], bar: Bar) -> Sample:
    """Sample one of kd's problems, or read data from the published files or others like them."""
    dataset, config = DATASETS[record.dataset], record.config
    if dataset.files and not contents:
        if record.own_files:
            raise KdError(
                f"{experiment.run.artefact(DATA).path} was made from other files than the published ones",
                "name their folder with --source",
            )
        contents = read_files(dataset, None, bar)
    sample: Sample = _read(dataset, config, contents) if dataset.files else dataset.sample(config)
    return sample


def _make(experiment: Experiment, recipe: Recipe, record: DataRecord, sampled: Callable[[], Sample]) -> None:
    """Sample or read the data, and store them with their description."""
    start = time.perf_counter()
    sample = sampled()
    description = _described(record, sample)
    pool = sample.pool
    tensors = {"x": pool.x, "y": pool.y, **pool.index}
    tensors |= {name: more for name in ("posterior", "group") if (more := getattr(pool, name)) is not None}
    # The recipe comes before the data, so that the same command repeats a run interrupted in between.
    experiment.adopt(dump(recipe))
    documents = {"description": description.to_record()}
    content = Content({"tensors": tensors}, {}, time.perf_counter() - start, documents=documents)
    experiment.write(DATA, record, content)


def _described(record: DataRecord, sample: Sample) -> Description:
    dataset = DATASETS[record.dataset]
    return Description(
        name=record.name,
        shape=tuple(sample.pool.x.shape[1:]),
        feature_names=sample.feature_names,
        classes=sample.classes,
        sizes={name: index.shape[1] for name, index in sample.pool.index.items()},
        draws=sample.pool.draws,
        drawing=sample.drawing or dataset.drawing,
        bayes=dataset.optimum(record.config) if dataset.optimum else None,
        own_files=record.own_files,
        standardise=dataset.standardise and sample.pool.x.ndim == 2,
        encodings=sample.encodings,
        decisions=sample.decisions,
        notes=sample.notes,
    )


def _replaces(experiment: Experiment, recipe: Recipe, force: bool) -> bool:
    """Return whether this recipe replaces the run's own.

    Without `force`, it may differ only by an existing teacher, in a run without a teacher. Raises `KdError`
    for any other recipe, and for a recipe written by a newer kd.
    """
    try:
        own = experiment.recipe
    except NewerError:
        raise
    except KdError:
        if not force:
            raise
        return True  # an unreadable recipe may be replaced
    first = recipe.teacher.source and not experiment.has_teacher
    same = replace(own, teacher=recipe.teacher) == recipe if first else own == recipe
    if not same and not force:
        run = experiment.run
        raise KdError(
            f"run {run.name} has another recipe, {run.recipe_path}",
            "--run NAME makes another run; --force replaces the recipe and the artefacts that differ",
        )
    return force or own != recipe


def _check_room(points: Mapping[str, int], config: Drawn, folder: Path) -> None:
    """Refuse to sample more `points` in each draw than memory or the disk have room for."""
    if not points:
        return
    each = sum(points.values())
    memory, disk = room.sampled(config.draws * each)
    most = max(points, key=lambda key: points[key])
    named = "test points" if most == "n_test" else "samples"
    draws = f"{room.count(config.draws)} draws of " if config.draws > 1 else ""
    what = f"{draws}{room.count(points[most])} {named} need"
    fewer = f", or {flag(type(config), 'draws')}" if config.draws > 1 else ""

    def lower(available: int) -> str:
        left = available // (config.draws * room.sampled(1)[0]) - (each - points[most])
        fitting = f" to {room.rounded_down(left)}" if left >= 1000 else ""
        return f"lower {flag(type(config), most)}{fitting}{fewer}"

    room.check_memory(what, memory, lower)
    smaller = f"lower {flag(type(config), most)}{fewer}"
    room.check_disk(what, disk, folder, f"{smaller}, or name another disk with --outputs")


def _contents(name: str, source: Path | None) -> dict[str, bytes]:
    """Return the contents of the files in the folder `source`, if it is given."""
    if source is None:
        return {}
    if not DATASETS[name].files:
        from_files = ", ".join(known for known, kind in DATASETS.items() if kind.files)
        raise UsageError(f"--source does not apply to {name}", f"datasets read from files: {from_files}")
    return read_files(DATASETS[name], source)


def _fingerprint(dataset: Dataset[Any], contents: Mapping[str, bytes], experiment: Experiment) -> str:
    """Return the fingerprint of the files that the data come from; empty for a dataset without files.

    Without `contents`, it is that of the stored data, else that of the published files.
    """
    if not dataset.files:
        return ""
    if contents:
        return fingerprint(contents)
    stored = experiment.stored(DATA)
    there = stored.record.content if isinstance(stored, Data) else ""
    return there or published(dataset)


def _read(dataset: Dataset[Any], config: Any, contents: Mapping[str, bytes]) -> Sample:
    """Return the sample of a dataset that is read from files; raises `KdError` if a file is damaged."""
    try:
        return dataset.sample(config, contents)
    except ValueError as error:
        raise KdError(
            str(error),
            "--source names a folder with four IDX files: images and labels for training and for testing",
        ) from None
