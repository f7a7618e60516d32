import re

from kdcli.store import NAME, fitting, spelled


def test_what_may_stand_in_a_name_stays_as_it_is() -> None:
    assert spelled("marital-status_2") == "marital-status_2"
    assert fitting("soft-T4") == "soft-T4"


def test_columns_of_like_names_have_names_of_their_own() -> None:
    columns = ["a b", "a_b", "a/b", "a.b", "größe", "gr__e", "../x", "…"]
    names = [spelled(column) for column in columns]
    assert len(set(names)) == len(columns)
    assert all(re.fullmatch("[A-Za-z0-9_-]+", name) for name in names)


def test_long_names_fit_and_stay_apart() -> None:
    names = [fitting("x" * 200 + end) for end in "ab"] + [spelled("ä" * 200 + end) for end in "ab"]
    assert len(set(names)) == len(names)
    assert all(len(name) == 100 for name in names)
    assert NAME.fullmatch(names[0])
