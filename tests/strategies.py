"""Configurations drawn at random, for tests of properties with hypothesis."""

from typing import Any

from hypothesis import strategies as st

from kdcli.runs.recipe import PRECISIONS, SCHEDULES, Students, Teacher
from kdcli.targets import TARGETS

MODELS = (
    "mlp:4",
    "mlp:8,8",
    "mlp:04",
    "tree",
    "tree:max_depth=3",
    "tree:max_leaf_nodes=8,shrink=auto",
    "forest:3",
    "gbdt:rounds=3,leaves=4",
    "tree:min_samples_leaf=2,max_depth=3",
    "cnn:2,3",
)


def numbers(low: float, high: float) -> Any:
    """Numbers in a range, round ones often."""
    return st.floats(low, high) | st.sampled_from([value for value in (0.25, 0.5, 1.0, 2.0) if value <= high])


TRAINING: dict[str, Any] = {
    "epochs": st.integers(1, 10**6),
    "batch_size": st.integers(0, 1000),
    "learning_rate": numbers(1e-9, 10),
}


def several(values: Any) -> Any:
    """Lists of one to three values, as settings hold them; some twice."""
    return st.lists(values, min_size=1, max_size=3).map(tuple)


STUDENTS = st.builds(
    Students,
    models=several(st.sampled_from(MODELS)),
    targets=several(st.sampled_from(list(TARGETS))),
    temperatures=several(numbers(0.01, 1000) | st.just("auto")),
    smoothing=numbers(0.001, 0.999) | st.just("auto"),
    label_weight=numbers(0, 1),
    transfer=st.sampled_from(("train", "train:40", "train:7+rest", "train+munge:2", "train+duplicate:3")),
    labels_from=st.sampled_from(("target", "teacher", "original")),
    seeds=st.integers(1, 12),
    **TRAINING,
)

ENSEMBLES = ("2*mlp:4+tree", "mlp:4+tree", "3*mlp:8,8", "tree+tree", "gbdt:rounds=3,leaves=4+mlp:4")
OF_TEACHERS = st.one_of(
    st.tuples(st.sampled_from(MODELS), st.integers(1, 100)),
    st.tuples(st.sampled_from(ENSEMBLES), st.just(1)),
)
"""Models of teachers, and how many of each."""

TEACHERS = st.builds(
    lambda counted, **settings: Teacher(model=counted[0], ensemble=counted[1], **settings),
    OF_TEACHERS,
    seed=st.integers(0, 10**20),
    precision=st.sampled_from(PRECISIONS),
    schedule=st.sampled_from(SCHEDULES),
    device=st.sampled_from(("auto", "cpu", "cuda")),
    **TRAINING,
)

ANY_VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5),
    st.sampled_from([10**30, 1e300, 0.5, 4.0, "mlp:4", "tree", "soft", "hard", "", [], [0], [1, 0], {}]),
    st.text(max_size=5),
    st.lists(st.integers(-1, 4), max_size=4),
)
"""What somebody may put into a record."""
