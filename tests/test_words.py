from kdcli.words import counted, either, listed


def test_counts_and_lists() -> None:
    assert [counted(count, "seed") for count in (0, 1, 2000)] == ["no seeds", "1 seed", "2,000 seeds"]
    assert either([10, 2, 10], "seed") == "2 or 10 seeds"
    assert (either([1], "seed"), either([1, 2], "seed")) == ("1 seed", "1 or 2 seeds")
    assert [listed(list(names)) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]
