from pathlib import Path

import pytest

from kdcli.store import space

GIB = 2**30


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the kernel's information on memory: 8 GiB available, and no control group yet."""
    (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:   {8 * 2**20} kB\n")
    monkeypatch.setattr(space, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(space, "CGROUP", tmp_path)
    return tmp_path


def group(folder: Path, limit: str, taken: int, cached: int) -> None:
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{taken}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\nactive_file {cached}\n")


def test_free_memory_is_what_the_kernel_calls_available(machine: Path) -> None:
    assert space.free_memory() == 8 * GIB
    group(machine, "max", GIB, 0)
    assert space.free_memory() == 8 * GIB


def test_a_lower_limit_of_the_control_group_counts_and_file_pages_make_way(machine: Path) -> None:
    group(machine, str(4 * GIB), 3 * GIB, GIB)
    assert space.free_memory() == 3 * GIB
    group(machine, str(4 * GIB), 5 * GIB, 0)
    assert space.free_memory() == 0
    group(machine, str(40 * GIB), GIB, 0)
    assert space.free_memory() == 8 * GIB


def test_where_nobody_tells_it_is_not_known(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "meminfo").unlink()

    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(space.os, "sysconf", unknown)
    assert space.free_memory() is None


def test_elsewhere_the_system_is_asked(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "meminfo").unlink()
    monkeypatch.setattr(space.os, "sysconf", {"SC_AVPHYS_PAGES": 3, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert space.free_memory() == 3 * 4096
