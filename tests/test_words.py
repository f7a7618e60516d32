import pytest

from kdcli.words import counted, either, listed, named_seed, ratio, readable_size, shortened


def test_counts_and_lists() -> None:
    assert [counted(count, "seed") for count in (0, 1, 2000)] == ["no seeds", "1 seed", "2,000 seeds"]
    assert either([10, 2, 10], "seed") == "2 or 10 seeds"
    assert (either([1], "seed"), either([1, 2], "seed")) == ("1 seed", "1 or 2 seeds")
    assert [listed(list(names)) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]


def test_long_texts_are_cut_off_on_one_line() -> None:
    assert shortened(" one\n  two ", 7) == "one two"
    assert shortened("one two", 5) == "one t …"


def test_a_seed_is_named_with_its_draw_where_there_are_several() -> None:
    assert (named_seed(3, 0, 1), named_seed(3, 0, 2), named_seed(0, 1, 2)) == (
        "seed 3",
        "seed 3 of draw 0",
        "seed 0 of draw 1",
    )


@pytest.mark.parametrize(
    ("count", "text"), [(812, "812 B"), (3100, "3.1 kB"), (2.5e6, "2.5 MB"), (3.2e10, "32.0 GB")]
)
def test_sizes(count: float, text: str) -> None:
    assert readable_size(count) == text


def test_ratios() -> None:
    assert (ratio(1 / 230), ratio(3.1)) == ("1/230", "3.10")
