"""`kd export`: a student as one file for elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kdcli.data.tables.encoding import Encoded
from kdcli.errors import Command, KdError, UsageError
from kdcli.exports import Exported, find_format
from kdcli.report.told import Told
from kdcli.report.words import wrote
from kdcli.runs.experiment import Experiment
from kdcli.runs.predictor import Predictor, students_of
from kdcli.runs.stored import TrainedStudents
from kdcli.store import replacing
from kdcli.words import named_seed

STDOUT = "-"
PREDICT = Command("predict", ("SET", "FOLDER"))


@dataclass(frozen=True)
class StudentExported:
    """What `kd export` wrote: `content` where it goes to stdout, else a file at `path`."""

    run: str
    students: str
    seed: int
    file_format: str
    path: Path | None
    content: str

    def told(self) -> Iterator[Told]:
        """Return the path, or the content itself."""
        yield self.content.rstrip("\n") if self.path is None else wrote(self.path)

    def document(self) -> dict[str, Any]:
        """Return all of it; the content is in the file."""
        return {
            "run": self.run,
            "students": self.students,
            "seed": self.seed,
            "format": self.file_format,
            "path": str(self.path) if self.path else None,
        }


def export(
    experiment: Experiment,
    folder: str,
    *,
    file_format: str,
    out: str | None = None,
    seed: int | None = None,
    draw: int = 0,
) -> StudentExported:
    """Write a student of the set in `folder` as one file: that of a seed, or the best on validation examples.

    It is `out`, or one in the run's folder of exports. Raises `UsageError` for a set, seed, draw or format
    that is not there, and `KdError` for students that the format has no words for.
    """
    kind, run = find_format(file_format), experiment.run
    trained = students_of(experiment, folder)
    predictor = Predictor.of(trained, seed=seed, draw=draw)
    student = _exported(trained, predictor, draw)
    if obstacle := kind.obstacle(student):
        raise UsageError(f"{folder} cannot be exported as {file_format}: {obstacle}")
    content = kind.write(student)
    path = Path(out) if out and out != STDOUT else None
    if path:
        with replacing(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    elif not out:
        path = run.write_export(f"{folder}{kind.suffix}", content.encode())
    return StudentExported(run.name, folder, predictor.seeds[0], file_format, path, content)


def _exported(trained: TrainedStudents, predictor: Predictor, draw: int) -> Exported:
    """Return what a format is given; raises `KdError` for students of images."""
    data = predictor.data
    if len(data.features) != 1:
        raise KdError("the data are images, and exports are of tables and points", (PREDICT, " reads images"))
    encodings = data.description.encodings
    columns = encodings or [Encoded(name, "number") for name in data.point_names]
    who = named_seed(predictor.seeds[0], draw, data.draws)
    return Exported(
        who=f"{trained.folder}, {who}, of run {trained.experiment.run.name}",
        taught=trained.title,
        classes=data.description.classes,
        columns=columns,
        fills=bool(encodings),
        stack=predictor.stack,
        x=data.pool.split("train", draw).x.to(torch.float32),
    )
