"""Transfer examples from outside a run's data, made or read once and labelled by its teacher."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from kdcli.data.images import images_in
from kdcli.data.owned import digest_of
from kdcli.data.tables.encoding import encode
from kdcli.data.tables.reading import Table
from kdcli.data.tables.synthetic import munge
from kdcli.errors import Command, UsageError
from kdcli.progress import Watch
from kdcli.rng import state
from kdcli.runs.experiment import Experiment
from kdcli.runs.reuse import reusable
from kdcli.runs.stored import Data, TransferExamples
from kdcli.runs.transfer import MUNGE, Part, Transfer
from kdcli.runs.transfer_record import TransferRecord
from kdcli.store import Content
from kdcli.teachers.asking import ask
from kdcli.teachers.source import source_of

TABLES = "use --transfer train+duplicate:5, for example"


@dataclass(frozen=True)
class _Examples:
    """Examples `x (rows, *features)`, each draw's indices `index (draws, n)`, and the rows of a table."""

    x: Tensor
    index: Tensor
    frame: pl.DataFrame | None


def made_examples(
    experiment: Experiment, transfer: Transfer, taught: Tensor, *, force: bool, again: Command, watch: Watch
) -> list[TransferExamples]:
    """Return the stored examples of a transfer set, and make those that are missing.

    `taught (draws, n)` are the training examples of the run that the set begins with, and `again` is the
    current command. Raises `KdError` if such examples cannot be made, if others are stored and `force` is not
    given, or if the teacher cannot label them.
    """
    found = []
    for name, part in transfer.made.items():
        record = _record(experiment, name, transfer, part)
        if not reusable(experiment, name, record, force=force):
            _make(experiment, name, record, taught, again, watch)
        examples = experiment.fresh(name)
        assert isinstance(examples, TransferExamples)  # noqa: S101 by its kind
        found.append(examples)
    return found


def _record(experiment: Experiment, name: str, transfer: Transfer, part: Part) -> TransferRecord:
    """Return the record of the examples of a part; if its file is gone, the stored examples are kept."""
    if part.kind == MUNGE:
        return TransferRecord(part, transfer.size)
    if experiment.data.dataset.further is None:
        raise UsageError(f"'{part}' is for tables and images of your own", TABLES)
    path, stored = Path(part.argument), experiment.stored(name, force=True)
    if isinstance(stored, TransferExamples) and not os.path.exists(path):
        return TransferRecord(part, 0, stored.record.content)
    return TransferRecord(part, 0, digest_of(images_in(path) if os.path.isdir(path) else [path], ""))


def _make(
    experiment: Experiment, name: str, record: TransferRecord, taught: Tensor, again: Command, watch: Watch
) -> None:
    """Make the examples of a part, have them labelled, and store them."""
    start, data, part = time.perf_counter(), experiment.data, record.part
    made = _munged(data, part, taught, watch) if part.kind == MUNGE else _read(data, part, watch)
    logits = ask(experiment, made.frame, made.x, made.index, again, watch)
    tensors = {"x": made.x, "index": made.index, "logits": logits}
    experiment.write(name, record, Content({"tensors": tensors}, {}, time.perf_counter() - start))


def _munged(data: Data, part: Part, taught: Tensor, watch: Watch) -> _Examples:
    """Make synthetic rows from the taught rows of each draw; columns that are not inputs are copied."""
    frame = source_of(data, watch).frame
    if frame is None:
        raise UsageError("munge makes rows of tables, not images", TABLES)
    encodings = data.description.encodings
    learned = [encoded.name for encoded in encodings] or frame.columns
    numeric = {e.name for e in encodings if e.kind == "number"} if encodings else {*learned}
    given = pl.DataFrame([_number(frame.get_column(name), name in numeric) for name in learned])
    others = frame.drop(learned)
    frames = []
    for draw, rows in enumerate(taught.numpy()):
        random = np.random.default_rng(state("transfer/munge", data.seed, draw))
        made = munge(given[rows], part.number, random, numeric=numeric)
        frames.append(pl.concat([made, pl.concat([others[rows]] * part.number)], how="horizontal"))
    new = pl.concat(frames)
    index = torch.arange(new.height).view(len(frames), -1)
    return _Examples(_encoded(data, new.drop(others.columns)), index, new)


def _number(column: pl.Series, numeric: bool) -> pl.Series:
    return column.cast(pl.Float64) if numeric else column


def _encoded(data: Data, frame: pl.DataFrame) -> Tensor:
    """Encode rows as features for models."""
    encodings = data.description.encodings
    if not encodings:
        return torch.from_numpy(frame.to_numpy().astype(np.float32))
    return encode(Table(Path("new rows"), frame, (), lambda row: f"new row {row + 1}"), encodings)


def _read(data: Data, part: Part, watch: Watch) -> _Examples:
    """Read the examples of a file or a folder; all draws share them."""
    further, description = data.dataset.further, data.description
    assert further is not None  # noqa: S101 as was checked
    names = [column.name for column in description.decisions]
    frame, x = further(
        data.record.config, Path(part.argument), data.features, description.encodings, names, watch
    )
    return _Examples(x, torch.arange(len(x)).expand(data.draws, -1).contiguous(), frame)
