import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import ANY_VALUE, TEACHERS

from kdcli.data import DATASETS
from kdcli.data.sources import published
from kdcli.errors import UsageError
from kdcli.models import parse_teacher
from kdcli.runs.recipe import Recipe, Teacher
from kdcli.runs.recipes import builtin
from kdcli.runs.records import DataRecord, Record, TeacherRecord
from kdcli.settings import override

RECORDS: list[Record] = [
    *(DataRecord(name, builtin(name).data) for name in DATASETS),
    DataRecord("mnist", builtin("mnist").data, published(DATASETS["mnist"])),
    *(TeacherRecord.of(builtin(name).teacher) for name in DATASETS),
]
REFUSALS = (ValueError, UsageError)


def as_stored(record: Record) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(json.dumps(record.to_record()))
    return stored


@pytest.mark.parametrize("record", RECORDS, ids=str)
def test_a_record_reads_back_equal(record: Record) -> None:
    assert type(record).from_record(as_stored(record)) == record


@given(TEACHERS)
def test_a_teacher_reads_back_equal(settings: Teacher) -> None:
    record = TeacherRecord.of(settings)
    assert TeacherRecord.from_record(as_stored(record)) == record
    assert record.model == parse_teacher(settings.model, settings.ensemble)


@given(st.sampled_from(RECORDS), st.data())
def test_any_other_value_is_refused_or_of_another_record(record: Record, data: st.DataObject) -> None:
    stored = as_stored(record)
    key = data.draw(st.sampled_from([*stored, "more"]))
    changed = {**stored, key: data.draw(ANY_VALUE)}
    try:
        read = type(record).from_record(changed)
    except REFUSALS:
        return
    assert as_stored(read) == {k: v for k, v in changed.items() if (k, v) != ("content", "")}  # left out
    assert (read == record) is (changed == stored)


@pytest.mark.parametrize("record", RECORDS, ids=str)
def test_a_setting_that_is_missing_has_its_default(record: Record) -> None:
    stored = as_stored(record)
    for key in stored.keys() - {"dataset"}:
        rest = {k: v for k, v in stored.items() if k != key}
        read = as_stored(type(record).from_record(rest))
        assert {k: v for k, v in read.items() if k in rest} == rest


@pytest.mark.parametrize(
    ("kind", "changed", "words"),
    [
        (DataRecord, {"dataset": None}, "dataset and content must be texts"),
        (DataRecord, {"dataset": "gaussian"}, "no dataset 'gaussian'"),
        (DataRecord, {"separation": 4}, "separation is written as 4.0, not 4"),
        (DataRecord, {"n_samples": 4, "val_fraction": 0.01}, "without one of the 2 classes"),
        (DataRecord, {"epochs": 3}, "config.epochs: no such key"),
        (TeacherRecord, {"model": "mlp:"}, "a width must be"),
        (TeacherRecord, {"model": "mlp:08"}, 'model is written as "mlp:8"'),
        (TeacherRecord, {"model": "2*mlp:8"}, 'model is written as "mlp:8", not "2'),
        (
            TeacherRecord,
            {"model": "2*mlp:8+tree", "ensemble": 2},
            "has counts, but --ensemble 2 is given too",
        ),
        (TeacherRecord, {"ensemble": 101}, "at most 100"),
        (TeacherRecord, {"schedule": "cosine"}, "one of constant, linear"),
        (TeacherRecord, {"epochs": 0}, "must be at least 1"),
    ],
)
def test_what_no_stage_writes_is_refused_with_the_reason(
    kind: type[Record], changed: dict[str, Any], words: str
) -> None:
    recipe = builtin("gaussians")
    own: dict[type[Record], Record] = {
        DataRecord: DataRecord(recipe.dataset, recipe.data),
        TeacherRecord: TeacherRecord.of(recipe.teacher),
    }
    with pytest.raises(REFUSALS, match=words):
        kind.from_record({**as_stored(own[kind]), **changed})


@given(TEACHERS, TEACHERS)
def test_the_options_that_train_a_teacher_again_ask_for_this_teacher(own: Teacher, other: Teacher) -> None:
    record, recipe = TeacherRecord.of(own), replace(builtin("gaussians"), teacher=other)
    assert TeacherRecord.of(override(other, record.making(recipe, "teacher"))) == record
    as_recorded = replace(own, model=record.settings.model, ensemble=record.settings.ensemble)
    assert record.making(replace(recipe, teacher=as_recorded), "") == {}


@pytest.mark.parametrize(
    ("model", "ensemble", "other", "times"),
    [
        ("5*mlp:4", 1, "mlp:4", 5),
        ("mlp:4+mlp:04", 1, "mlp:4", 2),
        ("3*mlp:4+3*tree", 1, "mlp:4+tree", 3),
        ("mlp:4+tree+mlp:4", 1, "2*mlp:4+tree", 1),
    ],
)
def test_an_ensemble_is_recorded_alike_however_it_is_written(
    model: str, ensemble: int, other: str, times: int
) -> None:
    record = TeacherRecord.of(Teacher(model=model, ensemble=ensemble))
    assert record == TeacherRecord.of(Teacher(model=other, ensemble=times))
    assert (record.settings.model, record.settings.ensemble) == (other, times)


def test_to_ask_for_what_was_chosen_is_to_ask_for_the_same_teacher() -> None:
    recipe = builtin("gaussians")
    stored, used = TeacherRecord.of(recipe.teacher), {"device": "cpu", "precision": "float32"}

    def asked(**changed: str) -> TeacherRecord:
        return TeacherRecord.of(replace(recipe.teacher, **changed))

    assert asked(device="cpu", precision="float32").as_used(stored, used) == stored
    assert asked(device="cuda").as_used(stored, used) == asked(device="cuda")
    assert asked(device="cpu").as_used(asked(device="cpu"), {}) == asked(device="cpu")
    other = asked(model="mlp:4", device="cpu")  # what is chosen for another model may differ
    assert other.as_used(stored, used) == other


def test_data_of_other_files_are_named_as_such() -> None:
    recipe: Recipe = builtin("mnist")
    mine = DataRecord("mnist", recipe.data, "0" * 64)
    assert (mine.own_files, mine.name) == (True, "other IDX files")
    assert mine.making(recipe, "data") == {"source": "FOLDER"}
    assert mine.asked(recipe, "data", {}) == mine  # from the same files
    whole = DataRecord("mnist", recipe.data, published(DATASETS["mnist"]))
    assert (whole.own_files, whole.name, whole.making(recipe, "data")) == (False, "mnist", {"source": ""})
    assert mine.settings_of_recipe() == whole.settings_of_recipe()
