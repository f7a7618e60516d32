from dataclasses import dataclass

import pytest

from kdcli.errors import UsageError
from kdcli.settings import choices_text, override, read, rules, setting, shown


@dataclass(frozen=True)
class Config:
    size: int = setting(3, "how many", minimum=1)
    share: float = setting(0.5, "what part", above=0, below=1)
    names: tuple[str, ...] = setting(("a",), "which", flag="--name")


def test_read_fills_in_defaults_and_converts() -> None:
    config, problems = read(Config, {"share": 0.25, "names": ["x", "y"]}, "here")
    assert problems == []
    assert config == Config(3, 0.25, ("x", "y"))


def test_read_reports_every_problem_with_its_key() -> None:
    config, problems = read(Config, {"size": 0, "share": "big", "names": [], "sise": 1}, "here")
    assert config is None
    assert problems == [
        "here.sise: no such key; did you mean size?",
        "here.size: must be at least 1, not 0",
        "here.share: must be a number, not 'big'",
        "here.names: must list at least one value",
    ]


@pytest.mark.parametrize("value", [True, 1.0, "1", None, [1]])
def test_a_whole_number_is_nothing_else(value: object) -> None:
    assert read(Config, {"size": value}, "here")[1]


@pytest.mark.parametrize("key", ["size", "share"])
@pytest.mark.parametrize("zeros", [301, 400, 5000])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_whole_number_that_cannot_be_computed_with_is_refused(key: str, zeros: int, sign: int) -> None:
    (problem,) = read(Config, {key: sign * 10**zeros}, "here")[1]
    assert problem.startswith(f"here.{key}: must be within ±1e300, not ")
    assert len(problem) < 160


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, float("nan"), float("inf")])
def test_open_bounds_exclude_their_ends_and_what_is_no_number(value: float) -> None:
    assert read(Config, {"share": value}, "here")[1]


@dataclass(frozen=True)
class Chosen:
    format: str = setting("png", "file format", choices=("png", "svg"))
    models: tuple[str, ...] = setting(("a",), "which", choices=("a", "b"))


def test_choices_are_all_that_is_allowed() -> None:
    assert read(Chosen, {"format": "svg", "models": ["b", "a"]}, "here")[1] == []
    assert read(Chosen, {"format": "gif", "models": ["a", "c"]}, "here")[1] == [
        "here.format: must be one of png, svg, not 'gif'",
        "here.models: must be one of a, b, not 'c'",
    ]
    assert rules(Chosen)["format"].values == "png, svg"


@dataclass(frozen=True)
class Worded:
    sizes: tuple[float | str, ...] = setting((1.0,), "how large", minimum=1, words=("auto", "none"))


def test_words_stand_in_place_of_numbers() -> None:
    assert read(Worded, {"sizes": ["auto", 2, 1.5]}, "here") == (Worded(("auto", 2.0, 1.5)), [])
    assert read(Worded, {"sizes": ["auto", 0]}, "here")[1] == ["here.sizes: must be at least 1, not 0"]
    for value in ("aut", True, None, ["auto"]):
        told = f"here.sizes: must be a number or auto or none, not {value!r}"
        assert read(Worded, {"sizes": [value]}, "here")[1] == [told]


def refuse(value: str) -> None:
    raise UsageError(f"no name '{value}'", "names: a, b")


@dataclass(frozen=True)
class Checked:
    name: str = setting("a", "which", check=refuse)


def test_the_hint_of_a_check_is_the_hint_of_the_flag_and_part_of_the_problem_of_a_file() -> None:
    with pytest.raises(UsageError, match=r"^--name: no name 'c'$") as problem:
        override(Checked(), {"name": "c"})
    assert problem.value.hint == "names: a, b"
    assert read(Checked, {"name": "c"}, "here")[1] == ["here.name: no name 'c' (names: a, b)"]


def test_override_names_the_flags() -> None:
    assert override(Config(), {"size": None, "share": 0.1}) == Config(share=0.1)
    with pytest.raises(UsageError, match=r"--size: must be at least 1, not -3; --noise does not apply"):
        override(Config(), {"size": -3, "noise": 1})


def test_what_is_no_value_at_all_is_shown_in_short() -> None:
    assert shown("a") == "'a'"
    assert shown(["a" * 500]) == "['" + 97 * "a" + "…"
    assert shown(10**5000) == "a number of thousands of digits"


def test_allowed_range_in_words() -> None:
    assert rules(Config)["share"].allowed == "above 0 and below 1"


def test_choices_are_quoted_where_one_is_empty_or_a_sign() -> None:
    assert choices_text(("last", "best")) == "last, best"
    assert choices_text(("", ".", ",")) == "'', '.', ','"
