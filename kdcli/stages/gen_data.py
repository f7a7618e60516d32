"""`kd gen-data`: sample or load a dataset, split it, and store its tensors. Makes the run."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kdcli.data import DATASETS, Dataset, Split, find_dataset
from kdcli.data.sources import Bar, fingerprint, published, read_files, unseen
from kdcli.errors import KdError, UsageError
from kdcli.runs import room
from kdcli.runs.artefacts import read_meta, run_recipe
from kdcli.runs.recipe import Recipe, dump
from kdcli.runs.schema import data_name, describe
from kdcli.settings import flag, override
from kdcli.store import Artefact, NewerError, Run, Store, named_run


@dataclass(frozen=True)
class DataMade:
    """What `kd gen-data` wrote."""

    run: str
    path: Path
    up_to_date: bool
    dataset: str
    n_train: int
    n_val: int
    n_test: int
    n_classes: int
    classes: tuple[str, ...]
    features: tuple[int, ...]
    bayes: dict[str, float] | None


def gen_data(
    store: Store,
    recipe: Recipe,
    *,
    run_name: str,
    options: Mapping[str, Any],
    adopt: bool,
    force: bool = False,
    source: Path | None = None,
    bar: Bar = unseen,
) -> DataMade:
    """Make the run `run_name` from a recipe, its data section changed by `options`, and make it current.

    Where KD_RUN names the run of the shell, the current one stays. A run that is there keeps the rest of its
    recipe, unless this one is to be `adopt`ed. A dataset that is read from files finds them in the folder
    `source`, or downloads them. Raises `UsageError` for options that the dataset does not have, and `KdError`
    where the run holds other data or is to adopt another recipe, and `force` does not allow to replace it, or
    where the data would not fit in memory or on the disk.
    """
    dataset = find_dataset(recipe.dataset)
    config = override(recipe.data, options)
    if found := dataset.problems(config):
        raise UsageError("; ".join(found))
    recipe = replace(recipe, data=config)
    run = store.run(run_name)
    artefact = run.artefact("data")
    record = {"dataset": recipe.dataset, **asdict(config)}

    start = time.perf_counter()
    contents: dict[str, bytes] = {}
    if dataset.files:
        contents, record["content"] = _contents(dataset, artefact, source)
        record["dataset"] = data_name(recipe.dataset, record["content"])
    elif source is not None:
        from_files = ", ".join(name for name, kind in DATASETS.items() if kind.files)
        raise UsageError(f"--source does not apply to {recipe.dataset}", f"read from files: {from_files}")
    own = run.recipe_path.is_file() and not adopt
    given = [key for key, value in options.items() if value is not None] if own else None
    up_to_date = artefact.up_to_date(_as_recorded(record, artefact), [], force, given)
    if adopt and run.recipe_path.is_file():
        _check_adoption(run, recipe, force)
    if not up_to_date:
        _check_room(dataset.points(config), type(config), run.path)
        if dataset.files and not contents:
            if record["content"] != published(dataset):
                raise KdError(
                    f"{artefact.path} was made from other files than the published ones",
                    "name their folder with --source",
                )
            contents = read_files(dataset, None, bar)
        splits = _read(dataset, config, contents) if dataset.files else dataset.sample(config)
        tensors = {
            f"{name}.{part}": tensor
            for name, split in splits.items()
            for part, tensor in split._asdict().items()
            if tensor is not None
        }
        # Before the data: a run cut off in between is made again by the same command.
        run.write_recipe(dump(recipe))
        sizes = {f"n_{name}": len(split.y) for name, split in splits.items()}
        classes = dataset.class_names(contents) if dataset.class_names else dataset.classes
        metrics = {
            **sizes,
            "n_classes": len(classes),
            "classes": classes,
            "features": splits["train"].x.shape[1:],
            "bayes": dataset.optimum(config)._asdict() if dataset.optimum else None,
        }
        artefact.write("gen-data", record, [], {"tensors": tensors}, metrics, time.perf_counter() - start)
    elif adopt and force:
        run.write_recipe(dump(recipe))
    if named_run() is None:  # a shell that has a run of its own leaves the one of all others alone
        store.make_current(run.name)
    meta = read_meta(artefact)
    description = describe(meta)
    return DataMade(
        run=run.name,
        path=artefact.path,
        up_to_date=up_to_date,
        dataset=description.name,
        n_train=meta.metrics["n_train"],
        n_val=meta.metrics["n_val"],
        n_test=meta.metrics["n_test"],
        n_classes=description.n_classes,
        bayes=meta.metrics["bayes"],
        classes=description.classes,
        features=description.features,
    )


def _check_adoption(run: Run, recipe: Recipe, force: bool) -> None:
    """Refuse to replace the recipe of a run: by another unless by `force`, and one of a newer kd at all."""
    try:
        same = run_recipe(run) == recipe
    except NewerError:
        raise
    except KdError:
        if not force:
            raise
        return  # what cannot be read may be replaced
    if not same and not force:
        raise KdError(
            f"run {run.name} has another recipe, {run.recipe_path}",
            "--run NAME makes a run beside it; --force replaces the recipe and what was made differently",
        )


def _as_recorded(record: Mapping[str, Any], artefact: Artefact) -> Mapping[str, Any]:
    """Return a record with the name that the stored data have, if it means the same in an older record."""
    if not artefact.finished:
        return record
    meta = read_meta(artefact)
    same = describe(meta).name == record["dataset"]
    return {**record, "dataset": meta.config["dataset"]} if same else record


def _check_room(points: Mapping[str, int], config: type, folder: Path) -> None:
    """Refuse to sample more points than memory or the disk have room for."""
    if not points:
        return
    total = sum(points.values())
    memory, disk = room.sampled(total)
    most = max(points, key=lambda key: points[key])
    spoken = "test points" if most == "n_test" else "samples"
    what = f"{room.count(points[most])} {spoken} need"

    def lower(there: int) -> str:
        left = there // room.sampled(1)[0] - (total - points[most])
        fitting = f" to {room.rounded_down(left)}" if left >= 1000 else ""
        return f"lower {flag(config, most)}{fitting}"

    room.check_memory(what, memory, lower)
    room.check_disk(what, disk, folder, f"lower {flag(config, most)}, or name another disk with --outputs")


def _contents(dataset: Dataset[Any], artefact: Artefact, source: Path | None) -> tuple[dict[str, bytes], str]:
    """Return the files in `source` if it is given, and the fingerprint of those that the data come from.

    Without a source that is the one that data which are there have: what they came from will do.
    """
    if source is not None:
        contents = read_files(dataset, source)
        return contents, fingerprint(contents)
    there = read_meta(artefact).config.get("content") if artefact.finished else None
    return {}, there or published(dataset)


def _read(dataset: Dataset[Any], config: Any, contents: Mapping[str, bytes]) -> Mapping[str, Split]:
    """Return the splits of a dataset that is read from files; raises `KdError` for one that is damaged."""
    try:
        return dataset.sample(config, contents)
    except ValueError as error:
        raise KdError(
            str(error),
            "--source names a folder with four IDX files: images and labels to train and to test on",
        ) from None
