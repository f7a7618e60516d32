import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdcli.errors import UsageError
from kdcli.runs.transfer import KINDS, Part, Transfer, resolved

PARTS = {
    "rest": st.just(Part("rest")),
    "duplicate": st.integers(1, 1000).map(lambda k: Part("duplicate", str(k))),
    "munge": st.integers(1, 1000).map(lambda k: Part("munge", str(k))),
    "pool": st.sampled_from(["pool.csv", "/data/more rows.parquet"]).map(lambda name: Part("pool", name)),
}
TRANSFERS = st.builds(
    Transfer,
    st.integers(1, 10**6),
    st.lists(st.sampled_from(list(PARTS)), unique=True).flatmap(
        lambda kinds: st.tuples(*(PARTS[kind] for kind in sorted(kinds, key=KINDS.index)))
    ),
)


@given(TRANSFERS)
def test_what_is_written_is_read_again(transfer: Transfer) -> None:
    assert Transfer.parse(str(transfer)) == transfer
    assert Transfer.parse(resolved(resolved(str(transfer)))) == Transfer.parse(resolved(str(transfer)))


@pytest.mark.parametrize(
    ("text", "folder", "title", "made"),
    [
        ("train", "", "all", []),
        ("train:500", "n500", "n = 500", []),
        ("train:500+munge:5", "n500-munge5", "n = 500 + munge:5", ["transfer/n500-munge5"]),
        ("train+munge:05", "munge5", "all + munge:5", ["transfer/munge5"]),
        ("train:40+rest", "n40-rest", "n = 40 + rest", []),
        (
            "train:9+pool:/x/more rows.csv+duplicate:2",
            "n9-pool-more-rows-fa6322-duplicate2",
            "n = 9 + pool:more rows.csv + duplicate:2",
            ["transfer/pool-more-rows-fa6322"],
        ),
    ],
)
def test_names(text: str, folder: str, title: str, made: list[str]) -> None:
    transfer = Transfer.parse(text)
    assert (transfer.named(""), transfer.named(" = "), list(transfer.made)) == (folder, title, made)


def test_the_order_of_parts_makes_no_other_set() -> None:
    one, other = (Transfer.parse(text) for text in ("train:5+rest+munge:2", "train:5+munge:2+rest"))
    assert one == other
    both = Transfer.parse("train:5+duplicate:2+munge:3")
    assert both.alike == Transfer.parse("train:5+duplicate:5")
    assert Transfer.parse(str(both.alike)) == both.alike


def test_pools_of_one_name_in_two_folders_are_two() -> None:
    one, other = (Transfer.parse(f"train+pool:/{folder}/pool.csv").made for folder in ("a", "b"))
    assert not set(one) & set(other)
    (long,) = Transfer.parse(f"train+pool:/{'n' * 300}.csv").made
    assert len(long.removeprefix("transfer/")) <= 100


def test_new_rows_are_alike_to_as_many_copies() -> None:
    munge, copies, more = (
        Transfer.parse(f"train:500+{part}").alike for part in ("munge:5", "duplicate:5", "duplicate:6")
    )
    assert munge == copies != more


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no part of a transfer set is called ''"),
        ("munge:5", "begins with train, not 'munge:5'"),
        ("train+mung:5", "did you mean munge?"),
        ("train:0", "train takes a whole number from 1"),
        ("train:5+duplicate", "duplicate takes a whole number from 1 to 1,000, not nothing"),
        ("train:5+munge:x", "not 'x'"),
        ("train:5+rest:3", "rest takes no argument"),
        ("train+rest", "leaves no other training examples"),
        ("train:5+munge:1+munge:2", "has munge twice"),
        ("train:5+train:6", "has train twice"),
        ("train+pool:", "needs a file"),
    ],
)
def test_what_is_no_transfer_set(text: str, words: str) -> None:
    with pytest.raises(UsageError) as problem:
        Transfer.parse(text)
    assert words in problem.value.message
    assert problem.value.hint
