"""`kd predict`: a student's predictions for new rows or images."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import polars as pl
import torch
from torch import Tensor

from kdcli.data.images import images_in
from kdcli.data.tables.applying import unseen as unseen_in
from kdcli.data.tables.classes import labels_of, without_stop
from kdcli.data.tables.columns import named
from kdcli.data.tables.reading import Table, suffix_of
from kdcli.data.tables.streaming import pieces, pieces_of
from kdcli.data.tables.text import Dialect
from kdcli.errors import KdError, UsageError
from kdcli.metrics import RECORDED, measure
from kdcli.progress import Watch, unwatched
from kdcli.report.sentences import scores_text
from kdcli.report.terminal import print_file
from kdcli.report.told import Line, Told
from kdcli.report.words import legible, wrote
from kdcli.runs.experiment import Experiment
from kdcli.runs.predictor import Predictor, students_of
from kdcli.scored import Scored
from kdcli.store import replacing
from kdcli.words import counted, named_seed

PLAIN = Dialect()
STDIO = "-"
FORMATS = (".csv", ".parquet", ".jsonl", ".ndjson")
SCORED = (*RECORDED, "brier", "roc_auc")


@dataclass(frozen=True)
class Asked:
    """A request for predictions of the rows of `file`, written to `out`; "-" is stdin or stdout.

    `keep` are columns to copy beside the predictions. With a `label` column, predictions are scored.
    """

    file: str
    out: str = STDIO
    keep: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True)
class Predicted:
    """What `kd predict` wrote."""

    run: str
    students: str
    seeds: tuple[int, ...]
    out: str
    rows: int
    metrics: dict[str, float]
    unseen: dict[str, tuple[int, str]]

    def told(self) -> Iterator[Told]:
        """Return the number of rows, the student that predicted them, the scores, and the path."""
        who = named_seed(self.seeds[0], 0, 1) if len(self.seeds) == 1 else counted(len(self.seeds), "seed")
        yield f"run {self.run}: {counted(self.rows, 'row')} predicted by {self.students}, {who}"
        for column, (count, first) in self.unseen.items():
            values = f"{counted(count, 'value')} of column '{column}'"
            yield Line(f"! {values} that no training row had, such as '{legible(first)}'", wrap=True)
        if self.metrics:
            yield f"scores: {scores_text(self.metrics)}"
        if self.out != STDIO:
            yield wrote(Path(self.out))

    def document(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {
            "run": self.run,
            "path": self.out,
            "students": self.students,
            "seeds": self.seeds,
            "rows": self.rows,
            "metrics": self.metrics,
            "unseen": {column: count for column, (count, _) in self.unseen.items()},
        }


def predict(
    experiment: Experiment,
    folder: str,
    asked: Asked,
    *,
    seed: int | None = None,
    draw: int = 0,
    ensemble: bool = False,
    watch: Watch = unwatched,
) -> Predicted:
    """Predict rows or images with a student of the set in `folder`, piece by piece.

    The student is that of `seed`, else the best on validation examples; with `ensemble`, all are averaged.
    Raises `UsageError` for an unknown set, seed or format, and `KdError` for rows unlike the training data.
    """
    trained = students_of(experiment, folder)
    predictor = Predictor.of(trained, seed=seed, draw=draw, ensemble=ensemble)
    classes = experiment.data.description.classes
    rows, scored = 0, _Scores(classes)
    unseen: dict[str, tuple[int, str]] = {}
    with _writer(asked.out) as write, watch(f"predicting {Path(asked.file).name}", 1, "file", 1):
        for frame, log_p, labels in _answers(predictor, asked, unseen):
            p = {f"p_{name}": log_p[:, k].exp().numpy() for k, name in enumerate(classes)}
            best = [classes[k] for k in log_p.argmax(1).tolist()]
            write(pl.concat([frame, pl.DataFrame({"prediction": best, **p})], how="horizontal"))
            rows += len(log_p)
            scored.add(log_p, labels)
    return Predicted(
        experiment.run.name, trained.folder, predictor.seeds, asked.out, rows, scored.metrics, unseen
    )


def _answers(
    predictor: Predictor, asked: Asked, unseen: dict[str, tuple[int, str]]
) -> Iterator[tuple[pl.DataFrame, Tensor, pl.Series | None]]:
    """Yield the columns to keep, the log-probabilities and the labels of each piece of a file.

    Adds to `unseen`, by column, the number of category values that no training row had, and the first one.
    """
    path, data = Path(asked.file), predictor.data
    if os.path.isdir(path):
        yield from _images(predictor, path)
        return
    own = data.dataset.dialect
    dialect = own(data.record.config) if own else PLAIN
    stdin = asked.file == STDIO
    tables = pieces(Path("stdin"), sys.stdin.buffer, dialect) if stdin else pieces_of(path, dialect)
    identifiers = [column.name for column in data.description.decisions if column.kind == "identifier"]
    for table in tables:
        log_p = predictor.log_p(predictor.features(table))
        for column, (count, first) in unseen_in(table, data.description.encodings).items():
            before, earlier = unseen.get(column, (0, first))
            unseen[column] = (before + count, earlier)
        names = asked.keep or [name for name in identifiers if name in table.frame.columns]
        yield _kept(table, names), log_p, _labels(table, asked.label)


def _kept(table: Table, names: Sequence[str]) -> pl.DataFrame:
    """Return the columns of a table to copy beside the predictions."""
    return pl.DataFrame([table.frame.get_column(named(table, name, "--keep")) for name in names])


def _labels(table: Table, label: str) -> pl.Series | None:
    """Return the labels of a table as text; None if they were not requested."""
    return labels_of(table, named(table, label, "--score"), []) if label else None


def _images(predictor: Predictor, folder: Path) -> Iterator[tuple[pl.DataFrame, Tensor, None]]:
    """Yield the paths of the images in a folder, with their log-probabilities."""
    data = predictor.data
    if data.dataset.further is None or len(data.features) == 1:
        raise UsageError(f"{folder} is a folder, but the run's data are a table", "name a file")
    description = data.description
    _, x = data.dataset.further(
        data.record.config, folder, data.features, description.encodings, (), unwatched
    )
    paths = [str(path.relative_to(folder)) for path in images_in(folder)]
    yield pl.DataFrame({"file": paths}), predictor.log_p(x), None


class _Scores:
    """Scores predictions whose labels are known, piece by piece."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)
        self.log_p: list[Tensor] = []
        self.y: list[Tensor] = []

    def add(self, log_p: Tensor, labels: pl.Series | None) -> None:
        """Add a piece; raises `KdError` for a label that is not a class."""
        if labels is None:
            return
        there = labels.is_not_null()
        known = without_stop(labels, self.classes)
        if odd := known.filter(~known.is_in(self.classes)).drop_nulls().head(1).to_list():
            raise KdError(f"the label '{odd[0]}' is not a class", f"classes: {', '.join(self.classes)}")
        codes = known.drop_nulls().replace_strict(
            self.classes, range(len(self.classes)), return_dtype=pl.Int64
        )
        self.y.append(torch.from_numpy(codes.to_numpy().copy()))
        self.log_p.append(log_p[torch.from_numpy(there.to_numpy().copy())])

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics over all rows that have a label; empty if there are none."""
        if not self.y or not sum(map(len, self.y)):
            return {}
        scored = Scored(torch.cat(self.log_p).unsqueeze(0), torch.cat(self.y))
        return {name: values[0] for name, values in measure(scored, SCORED).items()}


Write = Callable[[pl.DataFrame], None]


@contextmanager
def _writer(out: str) -> Iterator[Write]:
    """Yield a function that writes frame after frame, in the format of the file's suffix; "-" is stdout."""
    if out == STDIO:
        header = iter([True])
        yield lambda frame: print_file(frame.write_csv(include_header=next(header, False)))
        return
    path = Path(out)
    suffix = suffix_of(path)
    if suffix not in FORMATS or path.suffix == ".gz":
        raise UsageError(
            f"--out: {out} ends in none of {', '.join(FORMATS)}", "name it predictions.csv, for example"
        )
    with replacing(path) as temporary:
        if suffix == ".parquet":
            frames: list[pl.DataFrame] = []
            yield frames.append
            pl.concat(frames, how="vertical_relaxed").write_parquet(temporary)
            return
        with temporary.open("wb") as file:
            yield _csv(file) if suffix == ".csv" else lambda frame: frame.write_ndjson(file)


def _csv(file: IO[bytes]) -> Write:
    """Return a function that writes frames as CSV, the first with a header."""
    first = iter([True])
    return lambda frame: frame.write_csv(file, include_header=next(first, False))
