import math
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdcli.errors import UsageError
from kdcli.runs import vary
from kdcli.runs.recipe import Recipe
from kdcli.runs.recipe_reading import RecipeError, tables_of
from kdcli.runs.vary import MOST_RUNS, TOLD, Planned, check_key, planned, values_of, varying
from kdcli.store import NAME

BASE: Mapping[str, Any] = {"data": {"dataset": "gaussians"}}


def runs(varied: Any, base: Mapping[str, Any] = BASE) -> list[Planned]:
    return planned({**base, "vary": varied}, "my.toml")


def from_text(text: str) -> list[Planned]:
    return planned(tables_of(text, "my.toml"), "my.toml")


def names(varied: Any, base: Mapping[str, Any] = BASE) -> list[str]:
    return [run.name for run in runs(varied, base)]


def message(varied: Any, base: Mapping[str, Any] = BASE) -> str:
    with pytest.raises(RecipeError) as problem:
        runs(varied, base)
    return problem.value.message


def values(varied: Any, key: str = "data.n_samples") -> list[Any]:
    return [run.varied[key] for run in runs({key: varied})]


def in_recipe(recipe: Recipe, key: str) -> Any:
    """Return what a recipe has for a key such as "students.seeds"."""
    section, _, name = key.partition(".")
    return getattr(getattr(recipe, section), name)


def alone(value: Any) -> Any:
    """Return the item of a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def test_a_section_stands_for_all_combinations_and_the_last_key_varies_fastest() -> None:
    made = runs({"data.seed": [3, 4], "teacher.epochs": [1, 2], "students.models": ["tree"]})
    assert [run.name for run in made] == [
        "seed-3_epochs-1",
        "seed-3_epochs-2",
        "seed-4_epochs-1",
        "seed-4_epochs-2",
    ]
    assert [(run.recipe.data.seed, run.recipe.teacher.epochs) for run in made] == [
        (3, 1),
        (3, 2),
        (4, 1),
        (4, 2),
    ]
    assert {run.recipe.students.models for run in made} == {("tree",)}
    assert made[0].varied == {"data.seed": 3, "teacher.epochs": 1, "students.models": "tree"}


def test_several_sections_stand_for_the_combinations_of_each() -> None:
    made = from_text(
        """
        [data]
        dataset = "gaussians"
        [[vary]]
        "data.seed" = [1, 2]
        "data.n_samples" = [50]
        [[vary]]
        "students.label_weight" = [0.5]
        """
    )
    assert [run.name for run in made] == [
        "seed-1_n-samples-50",
        "seed-2_n-samples-50",
        "label-weight-0.5",
    ]
    assert made[2].recipe.data.seed == 0
    # Keys that a section does not have keep the values of the base.
    assert made[2].varied == {"data.seed": 0, "data.n_samples": 2000, "students.label_weight": 0.5}


@pytest.mark.parametrize(
    "section",
    [
        '[vary]\n"data.seed" = [1, 2]\n"students.seeds" = [3]',
        "[vary]\ndata.seed = [1, 2]\nstudents.seeds = [3]",
        "[vary.data]\nseed = [1, 2]\n[vary.students]\nseeds = [3]",
        'vary = [{data = {seed = [1, 2]}, "students.seeds" = [3]}]',
        "[vary]\ndata.seed = {from = 1, to = 2, steps = 2}\nstudents.seeds = [3]",
    ],
)
def test_keys_may_be_quoted_dotted_or_in_sections(section: str) -> None:
    made = from_text(f'{section}\n[data]\ndataset = "gaussians"')
    assert [dict(run.varied) for run in made] == [
        {"data.seed": 1, "students.seeds": 3},
        {"data.seed": 2, "students.seeds": 3},
    ]


def test_a_key_that_is_given_twice_is_a_problem() -> None:
    assert "vary.data.seed: is given twice" in message({"data.seed": [1], "data": {"seed": [2, 3]}})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"from": 10, "to": 40, "steps": 4}, [10, 20, 30, 40]),
        ({"from": 40, "to": 10, "steps": 4, "scale": "linear"}, [40, 30, 20, 10]),
        ({"from": 10, "to": 1000, "steps": 3, "scale": "log"}, [10, 100, 1000]),
        ({"from": 100, "to": 1000, "steps": 3, "scale": "log"}, [100, 316, 1000]),
        ({"from": 10, "to": 12, "steps": 9}, [10, 11, 12]),
        ({"from": 10, "to": 10, "steps": 5}, [10]),
    ],
)
def test_a_range_between_whole_numbers_has_whole_numbers(given: dict[str, Any], expected: list[int]) -> None:
    found = values(given)
    assert found == expected
    assert {type(value) for value in found} == {int}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"from": 0.0, "to": 1.0, "steps": 5}, [0.0, 0.25, 0.5, 0.75, 1.0]),
        ({"from": 0, "to": 0.9, "steps": 4}, [0, 0.3, 0.6, 0.9]),
        ({"from": 0.001, "to": 1, "steps": 4, "scale": "log"}, [0.001, 0.01, 0.1, 1]),
        ({"from": 0.123456789, "to": 0.2, "steps": 3}, [0.123456789, 0.161728, 0.2]),
    ],
)
def test_a_range_between_other_numbers_is_rounded_but_for_its_ends(
    given: dict[str, Any], expected: list[float]
) -> None:
    assert values(given, "students.label_weight") == expected


@given(
    ends=st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)),
    steps=st.integers(2, 20),
    scale=st.sampled_from(["linear", "log"]),
)
def test_a_range_goes_one_way_from_its_one_end_to_the_other(
    ends: tuple[int, int], steps: int, scale: str
) -> None:
    low, high = ends
    found = values({"from": low, "to": high, "steps": steps, "scale": scale}, "teacher.epochs")
    assert found[0] == low
    assert found[-1] == high
    assert found == sorted(set(found), reverse=high < low)
    assert len(found) <= steps
    if abs(high - low) >= 50 * steps and scale == "linear":
        assert len(found) == steps


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"from": 1, "to": 2}, "a range needs from 2 to 100,000 `steps`, not None"),
        ({"from": 1, "to": 2, "steps": 1}, "a range needs from 2 to 100,000 `steps`, not 1"),
        ({"from": 1, "to": 2, "steps": 10**6}, "a range needs from 2 to 100,000 `steps`, not 1000000"),
        ({"from": 1, "to": 2, "steps": True}, "a range needs from 2 to 100,000 `steps`, not True"),
        ({"from": 1, "steps": 2}, "a range needs numbers `from` and `to`"),
        ({"from": True, "to": 2, "steps": 2}, "a range needs numbers `from` and `to`"),
        ({"from": math.nan, "to": 2, "steps": 2}, "a range needs numbers `from` and `to`"),
        ({"from": 1, "to": math.inf, "steps": 3}, "a range needs numbers `from` and `to`"),
        ({"from": 1, "to": 10**400, "steps": 3}, "a range needs numbers `from` and `to`"),
        ({"from": "1", "to": 2, "steps": 2}, "a range needs numbers `from` and `to`"),
        ({"from": 0, "to": 2, "steps": 2, "scale": "log"}, "a logarithmic scale needs ends above 0"),
        ({"from": 1, "to": 2, "steps": 2, "scale": "lin"}, "must be one of linear, log, not 'lin'"),
        ({"from": 1, "to": 2, "steps": 2, "scale": ["log"]}, "must be one of linear, log, not ['log']"),
        ({"from": 1, "to": 2, "step": 3}, "a range has no key step; keys: from, to, steps, scale"),
        ({}, "a range needs numbers `from` and `to`"),
        ([], "must be a list of values, or {from, to, steps}, not []"),
        (5, "must be a list of values, or {from, to, steps}, not 5"),
        ("abc", "must be a list of values, or {from, to, steps}, not 'abc'"),
    ],
)
def test_a_range_or_list_that_is_none(given: Any, words: str) -> None:
    text = message({"data.n_samples": given})
    assert text.startswith("my.toml has a problem:\n  vary.data.n_samples: ")
    assert words in text


@pytest.mark.parametrize("section", [None, {}, [], [{}], [1], "data.seed", 3, [{"data.seed": [1]}, {}]])
def test_a_section_that_says_nothing(section: Any) -> None:
    assert "vary: a section [vary] must say what varies" in message(section)


@pytest.mark.parametrize("key", ["noise", "", ".", "data", "data.", ".seed", "base", "Data.seed"])
def test_a_key_that_is_of_no_section(key: str) -> None:
    assert f"vary.{key}: must be a key of a section, data.KEY, teacher.KEY, students.KEY" in message(
        {key: [1]}
    )


def test_a_setting_that_takes_a_list_gets_a_list_of_one() -> None:
    made = runs({"students.models": ["mlp:4", ["mlp:8", "tree"]], "students.temperatures": [2]})
    assert [run.recipe.students.models for run in made] == [("mlp:4",), ("mlp:8", "tree")]
    assert {run.recipe.students.temperatures for run in made} == {(2.0,)}
    assert [run.name for run in made] == ["models-mlp-4", "models-mlp-8-tree"]


def test_a_setting_of_data_that_takes_a_list_gets_a_list_of_one() -> None:
    table = {"data": {"dataset": "table", "file": "x.csv", "label": "y"}}
    made = runs({"data.drop": ["a", ["b", "c"]]}, table)
    assert [run.recipe.data.drop for run in made] == [("a",), ("b", "c")]


@pytest.mark.parametrize(
    "students", [{}, {"transfer": "train+munge:2"}, {"transfer_size": 7}, {"transfer": "train"}]
)
def test_the_size_of_the_transfer_set(students: dict[str, Any]) -> None:
    made = runs({"students.transfer_size": [30, 0]}, {**BASE, "students": students})
    assert [run.name for run in made] == ["transfer-size-30", "transfer-size-0"]
    assert [run.recipe.students.transfer for run in made] == ["train:30", "train"]
    (named,) = runs({"students.transfer": ["train:40"]}, {**BASE, "students": students})
    assert named.recipe.students.transfer == "train:40"


def test_both_spellings_of_the_transfer_set_are_a_problem() -> None:
    both = {"students.transfer": ["train:9"], "students.transfer_size": [30]}
    assert "students.transfer_size: no such key" in message(both)


def test_the_dataset_may_vary() -> None:
    made = runs({"data.dataset": ["moons", "gaussians"]}, {"data": {"n_samples": 90}})
    assert [(run.name, run.recipe.dataset) for run in made] == [
        ("dataset-moons", "moons"),
        ("dataset-gaussians", "gaussians"),
    ]


def test_names_have_only_what_varies() -> None:
    assert names({"data.seed": [1], "data.n_samples": [50, 60], "students.seeds": [3]}) == [
        "n-samples-50",
        "n-samples-60",
    ]
    assert names({"data.seed": [1], "students.seeds": [3]}) == ["seed-1_seeds-3"]


def test_the_same_key_of_two_sections_is_named_with_its_section() -> None:
    assert names({"data.seed": [1, 2], "teacher.seed": [3, 4]})[0] == "data.seed-1_teacher.seed-3"
    assert names({"data.seed": [1], "teacher.seed": [3, 4]}) == ["seed-3", "seed-4"]


def test_values_in_names() -> None:
    assert names({"teacher.learning_rate": [1.5, 1e-05, 1e16, 2]}) == [
        "learning-rate-1.5",
        "learning-rate-1e-05",
        "learning-rate-1e16",
        "learning-rate-2",
    ]
    assert names({"teacher.logits": [True, False]}) == ["logits-True", "logits-False"]
    assert names({"data.label": ["−x y", "-z", ""]}, {"data": {"dataset": "table"}}) == [
        "label-x-y",
        "label-mz",
        "label-",
    ]


def test_a_long_value_has_a_name_that_fits() -> None:
    many = [[f"mlp:{k},{k}" for k in range(1, count)] for count in (40, 41)]
    found = names({"students.models": many})
    assert len(set(found)) == 2
    assert all(NAME.fullmatch(name) for name in found)


def test_names_are_unique_though_values_look_alike() -> None:
    table = {"data": {"dataset": "table"}}
    found = names({"data.label": ["a b", "a_b", "a b 2", "a/b", "a-b-2"]}, table)
    assert found[0] == "label-a-b"
    assert len(set(found)) == 5
    assert len(set(names({"data.separation": [0.12345678, 0.12345679]}))) == 2


WORDS = st.text(max_size=8)
VARIED: dict[str, Any] = {
    "data.file": WORDS,
    "data.label": WORDS | st.just("x" * 300),
    "data.seed": st.integers(0, 10**20),
    "teacher.seed": st.integers(0, 3),
    "teacher.learning_rate": st.floats(1e-300, 1e300),
    "teacher.logits": st.booleans(),
    "students.seeds": st.integers(1, 5),
    "students.targets": st.lists(st.sampled_from(["labels", "hard", "soft"]), min_size=1),
    "students.label_weight": st.floats(0, 1) | st.integers(0, 1),
}
SECTION = st.dictionaries(st.sampled_from(list(VARIED)), st.none(), min_size=1, max_size=4).flatmap(
    lambda keys: st.fixed_dictionaries({key: st.lists(VARIED[key], min_size=1, max_size=3) for key in keys})
)


@given(st.lists(SECTION, min_size=1, max_size=3))
def test_each_run_has_its_values_and_a_name_of_its_own(sections: list[dict[str, list[Any]]]) -> None:
    made = runs(sections, {"data": {"dataset": "table"}})
    found = [run.name for run in made]
    assert len(set(found)) == len(found) >= 1
    assert all(NAME.fullmatch(name) for name in found)
    assert len({run.recipe for run in made}) == len(made)
    for run in made:
        assert any(
            all(run.varied[key] in [alone(value) for value in section[key]] for key in section)
            for section in sections
        )
        for key, value in run.varied.items():
            known = in_recipe(run.recipe, key)
            assert alone(list(known) if isinstance(known, tuple) else known) == value
    assert planned({"data": {"dataset": "table"}, "vary": sections}, "again.toml") == made


def test_what_is_asked_for_twice_is_one_run() -> None:
    assert names({"data.seed": [1, 2, 1, 1]}) == ["seed-1", "seed-2"]
    assert names([{"data.seed": [1, 2]}, {"data.seed": [2, 3]}]) == ["seed-1", "seed-2", "seed-3"]
    assert names({"students.temperatures": [1, 1.0, [1.0], 2]}) == ["temperatures-1", "temperatures-2"]


def test_a_value_that_the_base_has_is_no_second_run() -> None:
    base = {"data": {"dataset": "gaussians", "seed": 1}}
    assert names([{"data.seed": [1, 2]}, {"teacher.seed": [0, 5]}], base) == [
        "data.seed-1",
        "data.seed-2",
        "teacher.seed-5",
    ]


def test_all_problems_of_all_runs_come_in_one_message_once_each() -> None:
    text = message(
        {
            "data.n_samples": [-1, 100],
            "data.nosuch": [1],
            "teacher.epochs": ["x", 3],
            "students.targets": ["sfot", "soft"],
        }
    )
    for part in (
        "my.toml has 4 problems:",
        "data.n_samples: must be at least 4, not -1",
        "data.nosuch: no such key",
        "teacher.epochs: must be a whole number, not 'x'",
        "students.targets: no target 'sfot'; did you mean soft?",
    ):
        assert text.count(part) == 1
    assert text.count("\n") == 4


def test_problems_of_the_sections_themselves_come_together() -> None:
    text = message([{"data.seed": [], "noise": [1]}, {"data.n_samples": {"from": 1}}])
    assert "my.toml has 3 problems" in text
    for part in ("vary.data.seed: ", "vary.noise: ", "vary.data.n_samples: "):
        assert part in text


def test_a_message_of_very_many_problems_is_cut() -> None:
    text = message({"data.n_samples": list(range(-60, 0))})
    assert text.count("must be at least 4") == TOLD
    assert text.endswith("\n  and 40 more")


def test_problems_of_the_base_are_told_too() -> None:
    assert "extra: no such section" in message({"data.seed": [1]}, {**BASE, "extra": {}})
    assert "data: must be a section" in message({"data.seed": [1]}, {"data": 3})
    assert "students: must be a section" in message({"students.seeds": [1]}, {**BASE, "students": []})


def test_too_many_runs_are_refused_with_their_number_before_one_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def built(given: Mapping[str, Any]) -> Any:
        raise AssertionError

    monkeypatch.setattr(vary, "from_tables", built)
    thousands = {"from": 1, "to": 10**5, "steps": 10**5}
    start = time.process_time()
    text = message({"data.seed": thousands, "teacher.epochs": list(range(1, 101))})
    assert "my.toml asks for 10,000,000 runs, but a study has at most 100,000" in text
    assert time.process_time() - start < 5
    assert "asks for 100,001 runs" in message(
        [{"data.seed": list(range(MOST_RUNS))}, {"teacher.epochs": [1]}]
    )
    assert MOST_RUNS == 100_000


def test_values_and_what_varies() -> None:
    combinations = [{"data.seed": 1, "teacher.seed": 5}, {"data.seed": 2, "teacher.seed": 5}]
    assert values_of(combinations) == {"data.seed": [1, 2], "teacher.seed": [5]}
    assert varying(combinations) == {"data.seed": [1, 2]}
    assert varying(combinations[:1]) == {"data.seed": [1], "teacher.seed": [5]}
    assert varying([*combinations[:1], {"data.seed": 1}]) == {"teacher.seed": [5]}


def test_a_key_is_known_by_its_last_part_if_that_is_clear() -> None:
    known = ["data.seed", "teacher.seed", "data.noise"]
    assert check_key("noise", known) == "data.noise"
    assert check_key("data.seed", known) == "data.seed"
    for key in ("noise.data", "data", ""):
        with pytest.raises(UsageError) as problem:
            check_key(key, known)
        assert problem.value.hint == "varied keys: data.seed, teacher.seed, data.noise"
    with pytest.raises(UsageError, match=r"could be data\.seed or teacher\.seed"):
        check_key("seed", known)
