"""Examples that are none of a run's data, made or read once and labelled by its teacher."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from kdcli.data.owned import digest_of
from kdcli.data.tables.applying import applied
from kdcli.data.tables.encoding import encode
from kdcli.data.tables.reading import Table
from kdcli.data.tables.synthetic import munge
from kdcli.errors import KdError, UsageError
from kdcli.progress import Watch
from kdcli.rng import state
from kdcli.runs.experiment import Experiment
from kdcli.runs.stored import Data, TransferExamples
from kdcli.runs.transfer import MUNGE, POOL, Part, Transfer
from kdcli.runs.transfer_record import TransferRecord
from kdcli.store import Content
from kdcli.teachers.asking import ask
from kdcli.teachers.source import source_of


def made_examples(
    experiment: Experiment, transfer: Transfer, taught: Tensor, source: str | None, watch: Watch
) -> list[TransferExamples]:
    """Return the examples of a transfer set that are stored, made where they are not.

    `taught (draws, n)` are the training examples of the run that the set begins with. A teacher that is code
    is asked only where `source` names it. Raises `KdError` where no such examples can be made, or where the
    teacher cannot be asked about them.
    """
    found = []
    for name, part in transfer.made.items():
        if part.kind == POOL and experiment.data.dataset.further is None:
            raise UsageError(f"'{part}' is for tables of your own", "such as --transfer train+duplicate:5")
        content = "" if part.kind == MUNGE else digest_of([Path(part.argument)], "")
        record = TransferRecord(part, transfer.size if part.kind == MUNGE else 0, content)
        stored = experiment.stored(name, force=True)
        if stored is None or stored.record != record or stored.stale:
            with watch(f"examples {part}", experiment.data.draws, "draw", 1) as report:
                start = time.perf_counter()
                make = _munged if part.kind == MUNGE else _read
                x, index, frames = make(experiment.data, part, taught, watch)
                tensors = {"x": x, "index": index, "logits": _labelled(experiment, x, index, frames, source)}
                report(experiment.data.draws, None)
                seconds = time.perf_counter() - start
            experiment.write(name, record, Content({"tensors": tensors}, {}, seconds))
        examples = experiment.fresh(name)
        assert isinstance(examples, TransferExamples)  # noqa: S101 by its kind
        found.append(examples)
    return found


def _munged(
    data: Data, part: Part, taught: Tensor, watch: Watch
) -> tuple[Tensor, Tensor, Sequence[pl.DataFrame]]:
    """Make new rows of those that are taught; returns features, which each draw has, and rows."""
    frame = source_of(data, watch).frame
    if frame is None:
        raise UsageError("munge makes rows of tables, and not images", "such as --transfer train+duplicate:5")
    encodings = data.description.encodings
    numeric = {e.name for e in encodings if e.kind == "number"} if encodings else {*frame.columns}
    learned = [e.name for e in encodings] or frame.columns
    given = pl.DataFrame(
        [
            frame.get_column(name).cast(pl.Float64) if name in numeric else frame.get_column(name)
            for name in learned
        ]
    )
    frames, x = [], []
    for draw, rows in enumerate(taught):
        random = np.random.default_rng(state("transfer/munge", data.seed, draw))
        made = munge(given[rows.numpy()], part.number, random, numeric=numeric)
        frames.append(made)
        x.append(_encoded(data, made))
    index = torch.arange(sum(map(len, x))).view(len(x), -1)
    return torch.cat(x), index, frames


def _encoded(data: Data, frame: pl.DataFrame) -> Tensor:
    """Encode rows as models see them."""
    if not data.description.encodings:
        return torch.from_numpy(frame.to_numpy().astype(np.float32))
    return encode(
        Table(Path("new rows"), frame, (), lambda row: f"new row {row + 1}"), data.description.encodings
    )


def _read(
    data: Data, part: Part, taught: Tensor, watch: Watch
) -> tuple[Tensor, Tensor, Sequence[pl.DataFrame]]:
    """Read the rows of a file, which all draws share."""
    config, further = data.record.config, data.dataset.further
    assert further is not None  # noqa: S101 as was checked
    table = further(config, Path(part.argument), watch)
    if config.label in table.frame.columns:
        raise KdError(
            f"{table.path.name} has the column of labels, '{config.label}'",
            "the teacher labels the rows of a pool: leave that column out of the file",
        )
    x = applied(table, data.description.encodings)
    return x, torch.arange(len(x)).expand(data.draws, -1).contiguous(), [table.frame] * data.draws


def _labelled(
    experiment: Experiment, x: Tensor, index: Tensor, frames: Sequence[pl.DataFrame], source: str | None
) -> Tensor:
    """Return the teacher's logits of the examples of each draw, `(draws, n, n_classes)`."""
    return torch.stack(
        [
            ask(experiment, frame, x[rows], draw, source)
            for draw, (frame, rows) in enumerate(zip(frames, index, strict=True))
        ]
    )
