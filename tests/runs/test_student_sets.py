import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import ANY_VALUE, STUDENTS

from kdcli.errors import UsageError
from kdcli.runs.pairing import pairing_differences
from kdcli.runs.recipe import Students
from kdcli.runs.recipes import builtin
from kdcli.runs.student_sets import CONTROL, StudentSet, set_named, student_sets
from kdcli.settings import override, rules
from kdcli.store import check_name
from kdcli.words import numbered

SETS = STUDENTS.flatmap(lambda students: st.sampled_from(student_sets(students)))


@st.composite
def sets_with_losses(draw: st.DrawFn) -> StudentSet:
    """Student sets that may have lost some seeds, but never all."""
    chosen = draw(SETS)
    fates = draw(st.lists(st.sampled_from(["", "", "diverged", "overflowed"]), min_size=1, max_size=6))
    fates[draw(st.integers(0, len(fates) - 1))] = ""
    by_fate: dict[str, list[int]] = {"": [], "diverged": [], "overflowed": []}
    for seed, fate in enumerate(fates):
        by_fate[fate].append(seed)
    made = chosen.without(by_fate.pop(""), by_fate)
    if made.given_to_target == "auto":
        made = replace(made, chosen=draw(st.floats(0.01, 1000 if made.taught.softened else 0.99)))
    return made


def as_stored(student_set: StudentSet) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(json.dumps(student_set.to_record()))
    return record


@given(sets_with_losses())
def test_a_set_reads_back_equal_from_its_record(student_set: StudentSet) -> None:
    assert StudentSet.from_record(as_stored(student_set)) == student_set


@given(sets_with_losses(), st.data())
def test_any_other_value_in_a_record_is_refused_or_of_another_set(
    student_set: StudentSet, data: st.DataObject
) -> None:
    record = as_stored(student_set)
    key = data.draw(st.sampled_from([*record, "more", *rules(Students)]))
    changed = {**record, key: data.draw(ANY_VALUE)}
    try:
        read = StudentSet.from_record(changed)
    except (ValueError, UsageError):
        return
    # A setting that the record lacks has its default.
    assert as_stored(read) == {**as_stored(read), **changed} or key not in record
    assert (read == student_set) is (as_stored(read) == record)


@given(SETS, st.data())
def test_a_setting_that_a_record_lacks_has_its_default(student_set: StudentSet, data: st.DataObject) -> None:
    record = as_stored(replace(student_set, chosen=None).at(0.5))
    record["labels_from"] = "target"  # which others have to agree with
    younger = [key for key in record if key not in ("target", "model", "seeds")]
    del record[key := data.draw(st.sampled_from(younger))]
    default = Students().temperatures[0] if key == "temperature" else getattr(Students(), key)
    assert StudentSet.from_record(record).described()[key] == default


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"target": "soften"}, "no target 'soften'"),
        ({"temperature": 0.0}, "must be at least 0.01"),
        (
            {"temperature": "auto"},
            "chosen_temperature must be a value of temperatures if temperatures is auto",
        ),
        ({"temperature": "auto", "chosen_temperature": "auto"}, "chosen_temperature must be"),
        ({"temperature": "auto", "chosen_temperature": 0.001}, "chosen_temperature must be"),
        ({"temperature": "auto", "chosen_temperature": 2}, "chosen_temperature must be"),
        ({"temperature": "auto", "chosen_temperature": float("nan")}, "chosen_temperature must be"),
        ({"chosen_temperature": 4.0}, "and missing otherwise"),
        ({"chosen_smoothing": 0.1}, "chosen_smoothing must be a value of smoothing if smoothing is auto"),
        ({"temperature": "hot"}, "must be a number or auto, not 'hot'"),
        ({"temperature": 4}, "temperature is written as 4.0, not 4"),
        ({"model": "mlp:04"}, 'model is written as "mlp:4", not "mlp:04"'),
        ({"targets": ["soft"]}, "no stage writes targets"),
        ({"smoothing": 0.2}, "smoothing is written as null"),  # which a soft target does not take
        ({"seeds": 2}, "seeds must be a list of whole numbers"),
        ({"seeds": [0, True]}, "seeds must be a list of whole numbers"),
        ({"seeds": []}, "seeds must count from 0"),
        ({"seeds": [0, 0]}, "seeds must count from 0"),
        ({"seeds": [1, 0]}, "in ascending order"),
        ({"seeds": [0, 1], "diverged": [1]}, "seeds must count from 0"),
        ({"seeds": [0, 1], "overflowed": [3]}, "seeds must count from 0"),
        ({"epochs": -1}, "must be at least 1"),
        ({"__class__": 1}, "no such key"),
    ],
)
def test_a_record_that_no_stage_writes_is_refused_with_the_reason(
    changed: dict[str, Any], words: str
) -> None:
    (soft,) = student_sets(Students(targets=("soft",)))
    with pytest.raises(ValueError, match=words):
        StudentSet.from_record({**as_stored(soft), **changed})


@given(STUDENTS)
def test_sets_that_are_asked_for_together_differ_in_name_and_title(students: Students) -> None:
    sets = student_sets(students)
    assert len(set(sets)) == len({s.name for s in sets}) == len(sets)
    assert len({(s.group, s.title(whole=False)) for s in sets}) == len(sets)
    for student_set in sets:
        check_name(student_set.name, "student set")
        assert set_named(replace(builtin("gaussians"), students=students), student_set.name) == (
            student_set.with_seeds(1)
        )


@given(sets_with_losses(), STUDENTS, st.sampled_from(["", "mine"]))
def test_the_options_that_make_a_set_again_ask_for_this_set_alone(
    student_set: StudentSet, students: Students, folder: str
) -> None:
    options = student_set.making(replace(builtin("gaussians"), students=students), folder or student_set.name)
    assert options.pop("name") == folder
    assert options.pop("keep_going") == bool(student_set.lost)
    whole = replace(student_set.with_seeds(len(student_set.seeds_asked)), chosen=None)
    assert student_sets(override(students, options)) == [whole]


@given(sets_with_losses(), SETS)
def test_only_sets_that_are_trained_alike_are_paired(student_set: StudentSet, other: StudentSet) -> None:
    assert pairing_differences(student_set, student_set) == []
    assert pairing_differences(student_set, student_set.taught_instead(CONTROL)) == []
    assert pairing_differences(student_set, student_set.at(7.0)) == []
    differences = pairing_differences(student_set, other)
    assert len(differences) == len(pairing_differences(other, student_set))
    assert bool(differences) >= (student_set.model != other.model)
    more = student_set.with_seeds(len(student_set.seeds_asked) + 1)
    assert pairing_differences(student_set, more)[-1].startswith("seeds (")


def test_what_a_model_does_not_take_differs_from_any_value_that_another_has() -> None:
    network, tree = student_sets(Students(models=("mlp:4", "tree"), targets=("soft",), epochs=20))
    assert pairing_differences(network, tree) == [
        "epochs (20, not none)",
        "batch size (0, not none)",
        "learning rate (0.001, not none)",
        "select (last, not none)",
        "model (mlp:4, not tree)",
    ]


@given(sets_with_losses())
def test_a_control_is_taught_the_labels_alone(student_set: StudentSet) -> None:
    control = student_set.taught_instead(CONTROL)
    assert (control.target, control.temperature) == (CONTROL, 1.0)
    assert control.needs_teacher is student_set.transfer.asks  # for what has no label
    assert "label_weight" not in control.columns() or control.columns()["label_weight"] == 0
    assert control.taught_instead(CONTROL) == control


def test_a_set_for_every_model_target_and_temperature_of_a_softened_target() -> None:
    students = Students(
        models=("mlp:4", "tree"), targets=("labels", "soft"), temperatures=(1.0, 4.0), label_weight=0.25
    )
    assert [student_set.name for student_set in student_sets(students)] == [
        "labels-w0.25-mlp4",
        "soft-T1-w0.25-mlp4",
        "soft-T4-w0.25-mlp4",
        "labels-w0.25-tree",
        "soft-T1-w0.25-tree",
        "soft-T4-w0.25-tree",
    ]


def test_what_is_asked_for_twice_is_made_once() -> None:
    students = Students(
        models=("tree:max_depth=2,min_samples_leaf=3", "tree:min_samples_leaf=3,max_depth=2"),
        targets=("soft", "soft"),
        temperatures=(4.0, 4.0),
    )
    assert [student_set.name for student_set in student_sets(students)] == ["soft-T4-tree-depth2-size3"]


@pytest.mark.parametrize("layers", [1, 45, 46, 60, 1000])
def test_names_of_sets_fit_whatever_the_model(layers: int) -> None:
    def names(width: int) -> list[str]:
        model = "mlp:" + ",".join([*["8"] * (layers - 1), str(width)])
        return [s.name for s in student_sets(Students(models=(model,), targets=("labels", "soft")))]

    assert len({*names(8), *names(9)}) == 4
    for name in (*names(8), *names(9)):
        check_name(name, "student set")
        assert name.startswith(("labels-mlp8", "soft-T4-mlp8", "labels-mlp9", "soft-T4-mlp9"))
    whole = "labels-mlp" + "-".join(["8"] * layers)
    assert (names(8)[0] == whole) is (len(whole) <= 100)


@pytest.mark.parametrize(
    ("students", "title", "group", "variant"),
    [
        (Students(targets=("soft",), temperatures=(2.5,)), "soft, T = 2.5", "mlp:4", ""),
        (Students(targets=("hard",), label_weight=0.5), "hard, w = 0.5", "mlp:4", "w = 0.5"),
        (Students(targets=("smooth",), smoothing=0.3), "smooth, ε = 0.3", "mlp:4", ""),
        (Students(targets=("labels",), transfer="train:50"), "labels, n = 50", "mlp:4, n = 50", "n = 50"),
    ],
)
def test_titles_tell_a_folder_named_by_hand(students: Students, title: str, group: str, variant: str) -> None:
    (student_set,) = student_sets(students)
    assert student_set.title() == student_set.title(student_set.name) == title
    assert student_set.title("mine") == f"{title} (mine)"
    assert student_set.group == group
    assert (student_set.variant(), student_set.variant("mine").endswith("mine")) == (variant, True)


def test_a_chosen_temperature_is_that_of_the_target_and_part_of_the_title_but_not_of_the_name() -> None:
    (asked,) = student_sets(Students(targets=("soft",), temperatures=("auto",), seeds=3))
    made = replace(asked, chosen=2.0)
    assert (asked.name, asked.title()) == ("soft-Tauto-mlp4", "soft, T = auto")
    assert (made.name, made.stem(), made.title()) == ("soft-Tauto-mlp4", "soft-Tauto", "soft, T = 2 (auto)")
    assert (made.temperature, made.group, made.variant()) == (2.0, "mlp:4", "")
    assert made.to_record().items() >= {"temperature": "auto", "chosen_temperature": 2.0}.items()
    assert made.with_seeds(5).chosen == made.without((1,), {}).chosen == 2.0
    for target in ("shuffled", "labels"):
        assert made.taught_instead(target) == asked.at(2.0).taught_instead(target)


def test_a_chosen_smoothing_is_told_in_the_same_way() -> None:
    (asked,) = student_sets(Students(targets=("smooth",), smoothing="auto"))
    made = replace(asked, chosen=0.05)
    assert (asked.name, made.name) == ("smooth-eauto-mlp4",) * 2
    assert (made.title(), made.smoothing, made.temperature) == ("smooth, ε = 0.05 (auto)", 0.05, 1.0)
    assert made.to_record().items() >= {"smoothing": "auto", "chosen_smoothing": 0.05}.items()
    assert replace(made.at(0.2), settings=asked.settings) == asked
    assert made.at(0.2).smoothing == 0.2


def test_lost_seeds_are_told() -> None:
    (hard,) = student_sets(Students(targets=("hard",), seeds=5))
    few = hard.without((0, 2), {"diverged": (1, 4), "overflowed": (3,)})
    assert few.seeds_asked == hard.seeds
    assert few.title() == "hard, 2 of 5 seeds"
    assert few.words(few.name)[:3] == ["hard, 2 of 5 seeds", "mlp:4", "seeds 1, 3, 4 left out"]
    assert few.lost == {"diverged": (1, 4), "overflowed": (3,)}
    assert numbered("seed", [2]) == "seed 2"


def test_a_setting_of_models_is_named_after_those_of_targets_unless_at_its_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    field = Students.__dataclass_fields__["learning_rate"]
    monkeypatch.setattr(field, "metadata", {"rule": replace(field.metadata["rule"], tag="lr")})

    def named(model: str, learning_rate: float) -> tuple[str, str, str]:
        students = Students(models=(model,), targets=("soft",), learning_rate=learning_rate)
        (student_set,) = student_sets(students)
        return student_set.name, student_set.title(), student_set.variant()

    assert named("mlp:4", 0.001) == ("soft-T4-mlp4", "soft, T = 4", "")
    assert named("mlp:4", 0.5) == ("soft-T4-lr0.5-mlp4", "soft, T = 4, lr = 0.5", "lr = 0.5")
    assert named("tree", 0.5) == ("soft-T4-tree", "soft, T = 4", "")


@pytest.mark.parametrize(
    ("settings", "effective"),
    [
        ({"targets": ("labels",), "labels_from": "teacher"}, "teacher"),
        ({"targets": ("hard",), "labels_from": "teacher"}, "target"),
        ({"targets": ("soft",), "labels_from": "teacher"}, "target"),
        ({"targets": ("soft",), "labels_from": "teacher", "label_weight": 0.5}, "teacher"),
        ({"targets": ("bayes",), "labels_from": "teacher"}, "target"),
        ({"targets": ("labels",), "labels_from": "original"}, "target"),
        ({"targets": ("soft",), "labels_from": "original"}, "target"),
        ({"targets": ("soft",), "labels_from": "original", "transfer": "train:9+rest"}, "original"),
        ({"targets": ("soft",), "labels_from": "original", "transfer": "train+duplicate:2"}, "target"),
    ],
)
def test_labels_that_make_no_difference_are_those_of_the_target(
    settings: dict[str, Any], effective: str
) -> None:
    (student_set,) = student_sets(Students(**settings))
    assert student_set.settings.labels_from == effective
    assert StudentSet.from_record(student_set.to_record()) == student_set
