"""What the data of a run are: classes, features and sizes, stored with them as `description.json`."""

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
    """What the data of a run are.

    `name` is what they are called, `shape` that of one example, `feature_names` its numbers (empty for
    pixels), `classes` the names of the classes in the order of their indices, and `sizes` the number of
    examples in each split of a draw. There are so many `draws`, and `drawing` says how they come about.
    `bayes` scores the Bayes classifier over the whole distribution; None where the posterior is not known.
    `own_files` says that the data were read from other files than the published ones. Networks `standardise`
    the features if they are of many kinds. Of a table, `encodings`
    say how its columns became features, `decisions` what each was taken for, and `notes` what was recognised.
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
        """Read what `to_record` gave; raises ValueError saying what it would not have written."""
        if not isinstance(record, dict) or set(record) != {*cls.__dataclass_fields__}:
            raise ValueError("it is no description of data")
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
            raise ValueError(f"draws must count them, and drawing be one of {', '.join(DRAWINGS)}")
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
        """Return what programs are told of the data besides their name."""
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
    """Check what stands beside classes, features and sizes."""
    truths = all(isinstance(record[key], bool) for key in ("own_files", "standardise"))
    if not isinstance(record["name"], str) or not truths:
        raise ValueError("name must be a text, own_files and standardise true or false")
    if not _all(str, record["notes"]) or not all(_all(dict, record[k]) for k in ("encodings", "decisions")):
        raise ValueError("encodings and decisions must be lists of tables, notes of texts")


def _all(kind: type, values: Any) -> bool:
    """Whether these are a list, or the like, of values of exactly this type."""
    return (
        not isinstance(values, (str, dict, int, float))
        and values is not None
        and all(type(value) is kind for value in values)
    )
