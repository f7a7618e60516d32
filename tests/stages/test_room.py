from pathlib import Path

import pytest

from kdcli.errors import KdError
from kdcli.stages import room

GIB = 2**30


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for what the kernel tells: 8 GiB available, and no control group yet."""
    (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:   {8 * 2**20} kB\n")
    monkeypatch.setattr(room, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(room, "CGROUP", tmp_path)
    return tmp_path


def group(folder: Path, limit: str, taken: int, cached: int) -> None:
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{taken}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\nactive_file {cached}\n")


def test_free_memory_is_what_the_kernel_calls_available(machine: Path) -> None:
    assert room.free_memory() == 8 * GIB
    group(machine, "max", GIB, 0)
    assert room.free_memory() == 8 * GIB


def test_a_lower_limit_of_the_control_group_counts_and_file_pages_make_way(machine: Path) -> None:
    group(machine, str(4 * GIB), 3 * GIB, GIB)
    assert room.free_memory() == 3 * GIB
    group(machine, str(4 * GIB), 5 * GIB, 0)
    assert room.free_memory() == 0
    group(machine, str(40 * GIB), GIB, 0)
    assert room.free_memory() == 8 * GIB


def test_where_nobody_tells_nothing_is_refused(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "meminfo").unlink()

    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(room.os, "sysconf", unknown)
    assert room.free_memory() is None
    room.check_memory("this needs", 10**400, lambda there: "")


def test_elsewhere_the_system_is_asked(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "meminfo").unlink()
    monkeypatch.setattr(room.os, "sysconf", {"SC_AVPHYS_PAGES": 3, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert room.free_memory() == 3 * 4096


def test_a_refusal_says_what_is_needed_and_what_is_free() -> None:
    room.check_memory("ten samples need", 1000, lambda there: "", free=1100)
    with pytest.raises(KdError) as refused:
        room.check_memory("ten samples need", 2000, lambda there: f"lower it to {there}", free=1100)
    assert refused.value.message == "ten samples need about 2.2 kB of memory, and 1.1 kB are free"
    assert refused.value.hint == "lower it to 1000"
    assert refused.value.exit_code == 1


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
