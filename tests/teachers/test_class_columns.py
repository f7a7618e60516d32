import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdcli.errors import KdError
from kdcli.teachers.class_columns import class_columns

CLASSES = ("a", "b", "c")


@given(st.permutations(["p_a", "p_b", "p_c", "id", "label"]))
def test_columns_are_put_in_the_order_of_the_classes(names: list[str]) -> None:
    places = class_columns(names, CLASSES, "it")
    assert places is not None
    assert [names[place] for place in places] == ["p_a", "p_b", "p_c"]


@pytest.mark.parametrize(
    ("names", "classes", "places"),
    [
        (["c", "a", "b"], CLASSES, [1, 2, 0]),
        (["a", "b", "c", "p_c", "p_b", "p_a"], CLASSES, [5, 4, 3]),
        (["yes", "p_yes"], ("p_yes", "yes"), [1, 0]),
        (["row", "p_yes"], ("no", "yes"), [1]),
        (["first", "second", "third"], CLASSES, None),
        ([], CLASSES, None),
    ],
    ids=["plain", "prefixed before plain", "a class p_yes", "the second of two", "others", "none"],
)
def test_names_of_columns(names: list[str], classes: tuple[str, ...], places: list[int] | None) -> None:
    assert class_columns(names, classes, "it") == places


@pytest.mark.parametrize(
    ("names", "classes", "said"),
    [
        (["p_a", "b", "d"], CLASSES, "none of c"),
        (["p_no"], ("no", "yes"), "none of yes"),
        (["p_a", "p_b", "p_c", "p_a"], CLASSES, "the column 'p_a' twice"),
    ],
)
def test_columns_of_some_classes_are_refused(names: list[str], classes: tuple[str, ...], said: str) -> None:
    with pytest.raises(KdError, match=said):
        class_columns(names, classes, "it")
