"""A student prepared for export: everything that an export format needs, and the rows for the proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kdcli.exports import Exported, Rows
from kdcli.rng import state
from kdcli.runs.predictor import Predictor
from kdcli.runs.stored import TrainedStudents
from kdcli.version import __version__
from kdcli.words import named_seed

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

GOLDEN = 16  # synthetic rows that are stored with an export
MOST_TESTED = 50_000  # test examples that an export is run on
ENCODING = 50  # rough number of operations that encode a feature


@dataclass(frozen=True)
class Leaving:
    """A student prepared for export, with its predictions in kd for synthetic rows and test examples.

    `test` has the first of the `n_test` test examples. `operations` is their rough number in a prediction.
    """

    student: Exported
    made: Rows
    test: Rows
    n_test: int
    operations: int


def leaving(trained: TrainedStudents, predictor: Predictor, draw: int, *, encoded: bool) -> Leaving:
    """Prepare the student of a predictor for export; if `encoded`, the export takes features."""
    import numpy as np

    from kdcli.exports.made import made, made_features
    from kdcli.exports.proof import at_edges

    data, asking, columns = predictor.data, _Asking(predictor), predictor.columns
    random = np.random.default_rng(state("export/made", predictor.seeds[0], draw))
    x = _flat(data.pool.split("train", draw).x)
    if columns:
        golden = asking.raw(made(columns, x, GOLDEN, random))
    else:
        golden = asking.features(made_features(x, GOLDEN, random))
    student = _exported(trained, predictor, draw, x=x, golden=golden, encoded=encoded)
    edges = asking.features(at_edges(student, random))
    test = data.pool.split("test", draw).x
    return Leaving(
        student=student,
        made=golden + edges,
        test=asking.features(_flat(test[:MOST_TESTED])),
        n_test=len(test),
        operations=trained.model.multiply_adds(data.features, data.n_classes) + ENCODING * x.shape[1],
    )


def _exported(trained: TrainedStudents, predictor: Predictor, draw: int, **more: Any) -> Exported:
    import torch

    data, seed = predictor.data, predictor.seeds[0]
    description, pixels = data.description, data.pool.x.dtype == torch.uint8
    computation = predictor.stack.computation
    return Exported(
        who=f"{trained.folder}, {named_seed(seed, draw, data.draws)}, of run {trained.experiment.run.name}",
        taught=trained.title,
        classes=description.classes,
        columns=predictor.columns,
        fills=bool(description.encodings),
        missing=_missing(predictor),
        shape=description.shape,
        is_bytes=pixels,
        computation=computation.taking_bytes() if pixels else computation,
        facts=_facts(trained, predictor, draw),
        **more,
    )


def _missing(predictor: Predictor) -> Sequence[str]:
    """Return the words that stand for a missing value."""
    from kdcli.data.tables.missing import missing_words

    data = predictor.data
    own = data.dataset.dialect(data.record.config).missing if data.dataset.dialect else ()
    return [word for word in missing_words(own) if word] if data.description.encodings else []


def _facts(trained: TrainedStudents, predictor: Predictor, draw: int) -> dict[str, Any]:
    """Return the origin of a student, and its scores on the test split."""
    data, seed = predictor.data, predictor.seeds[0]
    place = trained.set.seeds.index(seed)
    return {
        "kd": __version__,
        "run": trained.experiment.run.name,
        "students": trained.folder,
        "seed": seed,
        "draw": draw,
        "taught": trained.title,
        "model": str(trained.model),
        "data": data.description.name,
        "predicts": data.record.config.label if data.dataset.dialect else "",
        "digests": {"data": data.meta.digest, "students": trained.meta.digest},
        "metrics": {name: values[draw][place] for name, values in trained.metrics.items()},
    }


def _flat(x: Tensor) -> np.ndarray:
    """Return examples as rows of features, float32."""
    flat: np.ndarray = x.flatten(1).float().numpy()
    return flat


@dataclass(frozen=True)
class _Asking:
    """Computes the predictions of the student in kd."""

    predictor: Predictor

    def raw(self, rows: Sequence[Sequence[Any]]) -> Rows:
        """Predict rows of raw values, as in a table."""
        from kdcli.exports.made import table_of

        features = self.predictor.features(table_of(self.predictor.columns, rows))
        return Rows(rows, _flat(features), self.predictor.log_p(features).exp().numpy())

    def features(self, x: np.ndarray) -> Rows:
        """Predict features `(n, features)`; for a table, by way of rows that have these features."""
        import numpy as np
        import torch

        from kdcli.exports.made import rows_of

        data, columns = self.predictor.data, self.predictor.columns
        if not len(x):
            return Rows((), x, np.empty((0, data.n_classes)))
        if columns:
            return self.raw(rows_of(columns, x))
        examples = torch.from_numpy(x).view(-1, *data.features).to(data.pool.x.dtype)
        return Rows((), x, self.predictor.log_p(examples).exp().numpy())
