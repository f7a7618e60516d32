from pathlib import Path

import pytest

from kdcli.errors import KdError
from kdcli.runs import room


def test_a_refusal_says_what_is_needed_and_what_is_free() -> None:
    room.check_memory("ten samples need", 1000, lambda there: "", free=1100)
    with pytest.raises(KdError) as refused:
        room.check_memory("ten samples need", 2000, lambda there: f"lower it to {there}", free=1100)
    assert refused.value.message == "ten samples need about 2.2 kB of memory, and 1.1 kB are free"
    assert refused.value.hint == "lower it to 1000"
    assert refused.value.exit_code == 1


def test_where_nobody_tells_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_memory", lambda: None)
    monkeypatch.setattr(room, "free_disk", lambda folder: None)
    room.check_memory("this needs", 10**400, lambda there: "")
    room.check_disk("this needs", 10**400, Path(), "")


def test_a_full_disk_is_seen_where_the_folder_will_be(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    free = room.free_disk(folder)
    assert free is not None
    assert free > 0
    room.check_disk("it needs", 1, folder, "")
    with pytest.raises(KdError, match="on disk") as refused:
        room.check_disk("it needs", 10**400, folder, "lower --seeds")
    assert refused.value.hint == "lower --seeds"
    assert not folder.exists()


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (9_940_000, "9.9 MB"),
        (9_960_000, "10 MB"),
        (560 * 10**9, "560 GB"),
        (10**21 - 1, "1000 EB"),
        (10**400, "1,000 EB or more"),
    ],
)
def test_amounts_for_a_person(size: int, words: str) -> None:
    assert room.amount(size) == words


def test_counts_for_a_person() -> None:
    assert room.count(10**10) == "10,000,000,000"
    assert room.count(3 * 10**400) == "10^400"
    assert [room.rounded_down(n) for n in (0, 7, 99, 238_765, 10**400 + 1)] == [0, 7, 99, 230_000, 10**400]
