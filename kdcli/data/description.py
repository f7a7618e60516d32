"""The description of the data of a run: classes, features and sizes, stored as `description.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kdcli.data.dataset import Optimum
from kdcli.data.draw import DRAWINGS, Drawing
from kdcli.data.pool import SPLITS
from kdcli.data.tables.columns import Column
from kdcli.data.tables.encoding import Encoded


@dataclass(frozen=True)
class Description:
    """The description of the data of a run.

    `shape` is that of one example; `feature_names` is empty for pixels; `classes` are in the order of their
    indices. `sizes` has the number of examples in each split of a draw, `draws` the number of draws, and
    `drawing` how they come about. `bayes` has the scores of the Bayes classifier over the whole distribution;
    None if the posterior is not known. With `own_files`, the data were read from other files than the
    published ones. With `standardise`, networks standardise the features. For a table, `encodings` are how
    its columns became features, `decisions` the kind of each, and `notes` whatever else the user should know.
    """

    name: str
    shape: tuple[int, ...]
    feature_names: tuple[str, ...]
    classes: tuple[str, ...]
    sizes: Mapping[str, int]
    draws: int
    drawing: Drawing
    bayes: Optimum | None = None
    own_files: bool = False
    standardise: bool = False
    encodings: tuple[Encoded, ...] = ()
    decisions: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def test_draws(self) -> int:
        """Number of test sets: one for each draw, or one that all draws share."""
        return 1 if self.drawing == "test kept" else self.draws

    @classmethod
    def from_record(cls, record: Any) -> Description:
        """Read a record that `to_record` returned; raises ValueError if it is not valid."""
        if not isinstance(record, dict) or set(record) != {*cls.__dataclass_fields__}:
            raise ValueError("it is not a description of data")
        shape, names, classes = (record[key] for key in ("shape", "feature_names", "classes"))
        if not _all(int, shape) or any(size < 1 for size in shape):
            raise ValueError("shape must list whole numbers above 0")
        if not _all(str, names) or (names and shape != [len(names)]):
            raise ValueError("feature_names must name each feature, or be empty")
        if not _all(str, classes) or len(set(classes)) < max(2, len(classes)):
            raise ValueError("classes must be two or more different names")
        sizes, bayes = record["sizes"], record["bayes"]
        counts = list(sizes.values()) if isinstance(sizes, dict) and set(sizes) == set(SPLITS) else []
        if not counts or not _all(int, counts) or any(count < 1 for count in counts):
            raise ValueError("sizes must count the examples of train, val and test")
        if type(record["draws"]) is not int or record["draws"] < 1 or record["drawing"] not in DRAWINGS:
            raise ValueError(f"draws must be whole and above 0, and drawing one of {', '.join(DRAWINGS)}")
        _check_rest(record)
        if bayes is not None and not (
            isinstance(bayes, dict) and set(bayes) == set(Optimum._fields) and _all(float, bayes.values())
        ):
            raise ValueError("bayes must have an accuracy and an nll, or be null")
        return cls(
            record["name"],
            tuple(shape),
            tuple(names),
            tuple(classes),
            {split: sizes[split] for split in SPLITS},
            record["draws"],
            record["drawing"],
            Optimum(**bayes) if bayes else None,
            record["own_files"],
            record["standardise"],
            tuple(map(Encoded.from_record, record["encodings"])),
            tuple(map(Column.from_record, record["decisions"])),
            tuple(record["notes"]),
        )

    def facts(self) -> dict[str, Any]:
        """Return what JSON output has about the data, apart from their name."""
        return {
            **{f"n_{split}": size for split, size in self.sizes.items()},
            "n_classes": self.n_classes,
            "classes": self.classes,
            "feature_names": self.feature_names,
            "bayes": self.bayes._asdict() if self.bayes else None,
        }

    def to_record(self) -> dict[str, Any]:
        """Return the description as `description.json` holds it."""
        return {**asdict(self), "bayes": self.bayes and self.bayes._asdict()}


def _check_rest(record: dict[str, Any]) -> None:
    """Check the other parts of a record: name, notes, encodings, decisions, and true or false."""
    truths = all(isinstance(record[key], bool) for key in ("own_files", "standardise"))
    if not isinstance(record["name"], str) or not truths:
        raise ValueError("name must be text, and own_files and standardise true or false")
    if not _all(str, record["notes"]) or not all(_all(dict, record[k]) for k in ("encodings", "decisions")):
        raise ValueError("encodings and decisions must be lists of objects, and notes a list of texts")


def _all(kind: type, values: Any) -> bool:
    """Whether these are a list or tuple of values of exactly this type."""
    return (
        not isinstance(values, (str, dict, int, float))
        and values is not None
        and all(type(value) is kind for value in values)
    )
