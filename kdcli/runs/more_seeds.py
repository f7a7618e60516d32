"""Student sets asked for with another number of seeds than they have: which are missing, and how they join.

A seed alone determines a student's initial weights and batch order (of a tree, how ties are broken), so the
students of a set may be trained in several calls.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from kdcli.runs.artefacts import Data, Trained, read_meta
from kdcli.runs.schema import LEFT_OUT
from kdcli.runs.student_sets import StudentSet, left_out, seeds_asked
from kdcli.store import Artefact


class Members(NamedTuple):
    """Students of one set: their record, tensors by file, and what is measured while they are made.

    `predictions (seeds, n, n_classes)` are those of the test split. `shape` has a number for each tree,
    `seconds` is what making all of them took.
    """

    record: Mapping[str, Any]
    tensors: Mapping[str, Mapping[str, Tensor]]
    predictions: Tensor
    shape: Mapping[str, list[float]]
    seconds: float


def as_stored(chosen: StudentSet, artefact: Artefact, force: bool) -> Mapping[str, Any]:
    """Return a set's record, with the seeds of the stored set, which may be reused whatever their number.

    If it is to be made by `force` as it is asked for, that is only where as many seeds were asked for.
    """
    stored = read_meta(artefact).config if artefact.finished else {}
    if not stored or (force and seeds_asked(stored) != chosen.record["seeds"]):
        return chosen.record
    return {**chosen.record, "seeds": stored["seeds"], **left_out(stored)}


def missing_seeds(record: Mapping[str, Any], seeds: int) -> range:
    """Return which of the seeds 0 to `seeds` - 1 a stored set was not asked for; seeds left out are not."""
    return range(len(seeds_asked(record)), seeds)


def stored_members(students: Trained, data: Data) -> Members:
    """Read all that other students are joined with; raises `DamagedError` where it is not to be trusted."""
    model = students.load_model(data)
    tensors: dict[str, Mapping[str, Tensor]] = {"model": model.state_dict()}
    if history := students.load_history():
        tensors["history"] = history._asdict()
    predictions = students.load_tested(data)
    return Members(
        students.config, tensors, predictions, students.described, students.artefact.meta().seconds
    )


def joined(stored: Members, more: Members) -> Members:
    """Return students of one set and those of further seeds as one; raises ValueError if they do not fit."""
    record = {**more.record, "seeds": [*stored.record["seeds"], *more.record["seeds"]]}
    for why in LEFT_OUT:
        if gone := [*left_out(stored.record).get(why, []), *left_out(more.record).get(why, [])]:
            record[why] = gone
    return Members(
        record,
        {file: _joined_tensors(named, more.tensors[file]) for file, named in stored.tensors.items()},
        torch.cat([stored.predictions, more.predictions]),
        {name: [*values, *more.shape[name]] for name, values in stored.shape.items()},
        stored.seconds + more.seconds,
    )


def _joined_tensors(ones: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join tensors along the leading axis of members; the epochs of learning curves are those of all.

    Trees have as many nodes as the largest, the others filled up with zeros.
    """
    if "epochs" in ones and not torch.equal(ones["epochs"], others["epochs"]):
        raise ValueError("its learning curves have other epochs than its configuration")
    return {
        name: value if name == "epochs" else pad_sequence([*value, *others[name]], batch_first=True)
        for name, value in ones.items()
    }
