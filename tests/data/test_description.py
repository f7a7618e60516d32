import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import ANY_VALUE

from kdcli.data import SPLITS, Description
from kdcli.data.dataset import Optimum
from kdcli.data.draw import DRAWINGS, Drawing
from kdcli.data.tables.columns import KINDS, LEARNED, Column
from kdcli.data.tables.encoding import Encoded

NAMES = st.text(min_size=1, max_size=6)
ENCODINGS = st.builds(
    Encoded,
    NAMES,
    st.sampled_from(LEARNED),
    st.floats(-9, 9),
    st.booleans(),
    st.lists(NAMES, max_size=3).map(tuple),
    st.booleans(),
    NAMES,
)
COLUMNS = st.builds(Column, NAMES, st.sampled_from(KINDS), st.floats(0, 1), NAMES, NAMES, NAMES, NAMES)
IMAGES = Description(
    "mnist", (28, 28), (), ("0", "1", "2"), {"train": 60, "val": 10, "test": 10}, 3, "test kept"
)


@st.composite
def descriptions(draw: st.DrawFn) -> Description:
    features = tuple(draw(st.lists(NAMES, max_size=4)))
    return Description(
        name=draw(NAMES),
        shape=(len(features),) if features else tuple(draw(st.lists(st.integers(1, 64), min_size=1))),
        feature_names=features,
        classes=tuple(draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))),
        sizes={split: draw(st.integers(1, 10**6)) for split in SPLITS},
        draws=draw(st.integers(1, 10**6)),
        drawing=draw(st.sampled_from(DRAWINGS)),
        bayes=draw(st.none() | st.builds(Optimum, st.floats(0, 1), st.floats(0, 9))),
        own_files=draw(st.booleans()),
        standardise=draw(st.booleans()),
        encodings=tuple(draw(st.lists(ENCODINGS, max_size=3))),
        decisions=tuple(draw(st.lists(COLUMNS, max_size=3))),
        notes=tuple(draw(st.lists(NAMES, max_size=3))),
    )


def as_stored(description: Description) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(json.dumps(description.to_record()))
    return record


@given(descriptions())
def test_a_description_reads_back_equal(description: Description) -> None:
    assert Description.from_record(as_stored(description)) == description
    assert description.n_classes == len(description.classes)


@pytest.mark.parametrize(("drawing", "test_draws"), [("sampled", 4), ("split", 4), ("test kept", 1)])
def test_there_is_a_test_set_for_each_draw_unless_it_is_kept(drawing: Drawing, test_draws: int) -> None:
    assert replace(IMAGES, draws=4, drawing=drawing).test_draws == test_draws


def test_programs_are_told_the_sizes_classes_and_features() -> None:
    assert IMAGES.facts() == {
        "n_train": 60,
        "n_val": 10,
        "n_test": 10,
        "n_classes": 3,
        "classes": ("0", "1", "2"),
        "feature_names": (),
        "bayes": None,
    }


@given(descriptions(), st.data())
def test_any_other_value_is_refused_or_of_other_data(description: Description, data: st.DataObject) -> None:
    record = as_stored(description)
    key = data.draw(st.sampled_from(list(record)))
    changed = {**record, key: data.draw(ANY_VALUE | st.lists(NAMES, max_size=5))}
    try:
        read = Description.from_record(changed)
    except ValueError:
        pass
    else:
        assert as_stored(read) == changed
    del record[key]
    with pytest.raises(ValueError, match="not a description of data"):
        Description.from_record(record)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"shape": [28, 0]}, "shape must list whole numbers above 0"),
        ({"shape": 3}, "shape must list"),
        ({"feature_names": ["a"]}, "feature_names must name each feature"),
        ({"classes": "012"}, "two or more different names"),
        ({"classes": ["0", "0"]}, "two or more different names"),
        ({"classes": ["0"]}, "two or more different names"),
        ({"classes": [0, 1]}, "two or more different names"),
        ({"sizes": {"train": 1, "val": 1}}, "sizes must count"),
        ({"sizes": {"train": 0, "val": 1, "test": 1}}, "sizes must count"),
        ({"draws": 0}, "draws must be whole and above 0"),
        ({"draws": True}, "draws must be whole and above 0"),
        ({"draws": 2.0}, "draws must be whole and above 0"),
        ({"draws": None}, "draws must be whole and above 0"),
        ({"drawing": "kept"}, "drawing one of sampled, split, test kept"),
        ({"drawing": ["split"]}, "drawing one of"),
        ({"bayes": {"accuracy": 1.0}}, "bayes must have"),
        ({"own_files": 1}, "own_files and standardise true or false"),
        ({"standardise": None}, "own_files and standardise true or false"),
        ({"notes": "x"}, "notes a list of texts"),
        ({"encodings": [3]}, "lists of objects"),
        ({"encodings": [{}]}, "not an encoding of a column"),
        (
            {"encodings": [{**vars(Encoded("a", "number")), "levels": 3}]},
            "levels of a column must be a list of texts",
        ),
        ({"decisions": {}}, "lists of objects"),
        ({"decisions": [{"name": "a"}]}, "not a column of a table"),
        ({"more": 1}, "not a description of data"),
    ],
)
def test_what_no_stage_writes_is_refused_with_the_reason(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Description.from_record({**as_stored(IMAGES), **changed})


@pytest.mark.parametrize("record", [None, [], "x", 3])
def test_what_is_no_table_is_no_description(record: object) -> None:
    with pytest.raises(ValueError, match="not a description of data"):
        Description.from_record(record)


def test_features_that_have_names_are_named_one_by_one() -> None:
    table = replace(IMAGES, shape=(2,), feature_names=("height", "weight"))
    assert Description.from_record(as_stored(table)).feature_names == ("height", "weight")
    with pytest.raises(ValueError, match="name each feature"):
        Description.from_record(as_stored(replace(table, shape=(2, 1))))
