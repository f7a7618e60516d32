import pytest

from kdcli.errors import KdError
from kdcli.teachers.columns import Answers, answer_columns

TWO, THREE, DIGITS = ("no", "yes"), ("a", "b", "c"), ("1", "2")


def columns(text: str, classes: tuple[str, ...] = TWO, logits: bool = False) -> tuple[tuple[str, ...], bool]:
    answers = answer_columns(text.split(), classes, "p.csv", logits=logits)
    return answers.columns, answers.reversed


@pytest.mark.parametrize("prefix", ["", "p_", "prob_", "proba_", "probability_", "P_", "Probability_"])
def test_columns_are_found_by_the_names_of_classes_in_any_order(prefix: str) -> None:
    found_names = columns(f"age {prefix}yes label {prefix}no")
    assert found_names == ((f"{prefix}no", f"{prefix}yes"), False)


@pytest.mark.parametrize(
    ("text", "classes", "expected"),
    [
        ("YES No", TWO, ("No", "YES")),
        ("p_a p_A", ("A", "a"), ("p_A", "p_a")),
        ("yes YES no", TWO, ("no", "yes")),
        ("p_yes p_no yes no", TWO, ("p_no", "p_yes")),
        ("p_yes p_no logit_yes logit_no", TWO, ("p_no", "p_yes")),
        ("1 0", ("0", "1"), ("0", "1")),
        ("p_2 p_1", DIGITS, ("p_1", "p_2")),
    ],
)
def test_the_spelling_of_a_class_comes_before_its_case(
    text: str, classes: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert columns(text, classes) == (expected, False)


def test_logits_are_taken_where_they_are_asked_for_and_only_there() -> None:
    assert columns("p_yes p_no logit_yes logit_no", logits=True) == (("logit_no", "logit_yes"), False)
    with pytest.raises(KdError, match=r"p\.csv has logits, .*: logit_no and logit_yes"):
        columns("logit_yes logit_no")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p_yes", (("p_yes",), False)),
        ("p_no", (("p_no",), True)),
        ("age proba_NO label", (("proba_NO",), True)),
        ("yes", (("yes",), False)),
    ],
)
def test_of_two_classes_the_column_of_either_will_do(
    text: str, expected: tuple[tuple[str, ...], bool]
) -> None:
    assert columns(text) == expected


@pytest.mark.parametrize(
    ("text", "classes"),
    [("0 1", TWO), ("0 1", DIGITS), ("age p_0 p_1", DIGITS), ("proba_0 proba_1 proba_2", ("1", "2", "3"))],
)
def test_columns_that_count_from_0_stand_in_the_order_of_the_classes(
    text: str, classes: tuple[str, ...]
) -> None:
    assert columns(text, classes)[0] == tuple(name for name in text.split() if name != "age")


@pytest.mark.parametrize(
    ("text", "classes", "expected"),
    [
        ("x1 x2 x3", THREE, ("x1", "x2", "x3")),
        ("label x1 x2 x3", THREE, ("x1", "x2", "x3")),
        ("score prediction", TWO, ("score",)),
        ("prediction", TWO, ("prediction",)),
        ("p_1 p_2", TWO, ("p_1", "p_2")),
    ],
)
def test_other_names_are_taken_by_their_order(
    text: str, classes: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert columns(text, classes) == (expected, False)


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("a b d", THREE),
        ("x1 x2", THREE),
        ("x1 x2 x3", TWO),
        ("p_0 p_1 p_2", TWO),
        ("a b", ("A", "a", "b")),
        ("B b c", ("a", "B", "c")),
        ("a bB Bb c", ("a", "bb", "c")),
        ("label x1 x2", THREE),
        ("p_1 p_2 p_3", ("2", "3", "4")),
        ("prediction label", TWO),
        ("A a x", ("A", "b", "c")),
    ],
)
def test_columns_that_are_unclear_are_named_with_those_expected(text: str, classes: tuple[str, ...]) -> None:
    with pytest.raises(KdError) as problem:
        columns(text, classes)
    *names, last = text.split()
    assert f"its columns are {', '.join(names)} and {last}" in problem.value.message
    assert f"name columns p_{classes[0]}" in str(problem.value.hint)


@pytest.mark.parametrize("text", ["p_yes p_no proba_yes proba_no", "p_yes prob_no", "p_yes proba_yes"])
def test_several_columns_for_a_class_are_refused(text: str) -> None:
    with pytest.raises(KdError, match="several columns for a class"):
        columns(text)


def test_a_table_without_columns_is_refused() -> None:
    with pytest.raises(KdError, match="its columns are none"):
        columns("")


def test_answers_stand_for_the_second_class_unless_reversed() -> None:
    assert not Answers(("p",)).reversed


@pytest.mark.parametrize(
    ("text", "classes", "note"),
    [
        ("A B", TWO, "its columns A and B are read as the classes no and yes, in this order"),
        ("score label", TWO, "its column score is read as the class yes"),
        ("p_yes p_no", TWO, ""),
        ("p_no", TWO, ""),
        ("0 1", TWO, ""),
    ],
)
def test_names_of_other_things_are_noted(text: str, classes: tuple[str, ...], note: str) -> None:
    assert answer_columns(text.split(), classes, "p.csv", logits=False).note == note


def test_names_that_only_count_columns_are_not_noted() -> None:
    assert not answer_columns(["column 1", "column_2"], TWO, "p.csv", logits=False).note


def test_columns_that_were_passed_over_are_named() -> None:
    with pytest.raises(KdError, match="its columns are none, apart from id and said, skipped as index, id"):
        answer_columns((), TWO, "p.csv", logits=False, passed=("id", "said"))
