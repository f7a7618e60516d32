import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweeping import plan

from kdcli.errors import UsageError
from kdcli.runs.recipe_reading import tables_of
from kdcli.runs.studies import teacher_key
from kdcli.runs.vary import Planned, planned
from kdcli.sweeps.order import SLURM, VARIABLES, ordered, shard_of

ID, MIN, COUNT = VARIABLES


def runs(teachers: int, students: int, *, teachers_first: bool = False) -> list[Planned]:
    """Plan runs with this number of teachers, and of student sets for each."""
    keys = [f'"teacher.seed" = {list(range(teachers))}', f'"students.seeds" = {list(range(1, students + 1))}']
    text = "\n".join(keys if teachers_first else keys[::-1])
    return planned(tables_of(f'[data]\ndataset = "gaussians"\n[vary]\n{text}', "x"), "x")


def names(given: list[Planned]) -> list[str]:
    return [run.name for run in given]


def teachers(given: list[Planned]) -> list[str]:
    return [teacher_key(run.recipe) for run in given]


def test_a_run_of_each_teacher_comes_first() -> None:
    assert names(ordered(runs(3, 2, teachers_first=True))) == [
        "seed-0_seeds-1",
        "seed-1_seeds-1",
        "seed-2_seeds-1",
        "seed-0_seeds-2",
        "seed-1_seeds-2",
        "seed-2_seeds-2",
    ]


@pytest.mark.parametrize("teachers_first", [True, False])
@pytest.mark.parametrize(("n_teachers", "n_students"), [(1, 1), (1, 5), (5, 1), (4, 3)])
def test_all_runs_are_there_once_and_leaders_first(
    n_teachers: int, n_students: int, teachers_first: bool
) -> None:
    given = runs(n_teachers, n_students, teachers_first=teachers_first)
    found = ordered(given)
    assert sorted(names(found)) == sorted(names(given))
    assert len(set(teachers(found[:n_teachers]))) == n_teachers
    assert [name for name in names(given) if name in names(found[n_teachers:])] == names(found[n_teachers:])
    assert ordered([]) == []


@given(n_teachers=st.integers(1, 5), n_students=st.integers(1, 4), count=st.integers(1, 25))
def test_shards_part_the_runs_whatever_their_number(n_teachers: int, n_students: int, count: int) -> None:
    given = runs(n_teachers, n_students)
    shards = [shard_of(given, f"{number}/{count}") for number in range(1, count + 1)]
    assert sorted(names(list(itertools.chain(*shards)))) == sorted(names(given))
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 1
    if n_teachers % count == 0:  # each shard can have whole teachers
        assert sum(len(set(teachers(shard))) for shard in shards) == n_teachers
    assert sum(len(set(teachers(shard))) for shard in shards) <= n_teachers + count - 1


@pytest.mark.parametrize("teachers_first", [True, False])
def test_runs_of_one_teacher_are_in_one_shard(teachers_first: bool) -> None:
    given = runs(2, 3, teachers_first=teachers_first)
    first, second = shard_of(given, "1/2"), shard_of(given, "2/2")
    assert len(set(teachers(first))) == len(set(teachers(second))) == 1
    assert names(first) == [name for name in names(given) if "seed-0" in name]


def test_a_whole_is_its_only_part() -> None:
    given = runs(2, 2)
    assert sorted(names(shard_of(given, "1/1"))) == sorted(names(given))


@pytest.mark.parametrize(
    "shard",
    [
        *("", "0/3", "4/3", "1/0", "0/0", "-1/3", "1/-3", "1", "1/2/3", " 1/2", "1/2\n", "a/b", "1.0/2"),
        *("²/3", "١/٢", "1/10000000", f"1/{'9' * 5000}", "SLURM"),
    ],
)
def test_what_is_no_shard(shard: str) -> None:
    with pytest.raises(UsageError, match="is not a part K/N") as problem:
        shard_of(runs(1, 2), shard)
    assert problem.value.hint == "write it as 3/16, or slurm"


def in_array(monkeypatch: pytest.MonkeyPatch, number: str, least: str, count: str, step: str = "") -> None:
    """Set the variables of a job of an array."""
    given = {ID: number, MIN: least, COUNT: count, "SLURM_ARRAY_TASK_STEP": step}
    for name, value in given.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("least", [0, 1, 7])
@pytest.mark.parametrize("step", [1, 2, 5])
def test_a_job_of_an_array_makes_its_shard(monkeypatch: pytest.MonkeyPatch, least: int, step: int) -> None:
    given = runs(3, 2)
    for k in range(4):
        in_array(monkeypatch, str(least + k * step), str(least), "4", str(step))
        assert shard_of(given, SLURM) == shard_of(given, f"{k + 1}/4")


def test_an_array_whose_step_is_not_said_counts_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    given = runs(3, 2)
    in_array(monkeypatch, "3", "1", "3")
    for step in ("", "0", "x", "²"):
        monkeypatch.setenv("SLURM_ARRAY_TASK_STEP", step)
        assert shard_of(given, SLURM) == shard_of(given, "3/3")


@pytest.mark.parametrize("value", ["", "x", "-1", "²", "1.5"])
@pytest.mark.parametrize("name", VARIABLES)
def test_no_job_of_an_array(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    in_array(monkeypatch, "1", "1", "4")
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="this is not a job of an array") as problem:
        shard_of(runs(1, 2), SLURM)
    assert all(variable in problem.value.message for variable in VARIABLES)
    monkeypatch.delenv(name)
    with pytest.raises(UsageError, match="this is not a job of an array"):
        shard_of(runs(1, 2), SLURM)


def test_a_job_outside_of_its_array(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, least in (("5", "1"), ("0", "1")):
        in_array(monkeypatch, number, least, "4")
        with pytest.raises(UsageError, match="is not a part K/N"):
            shard_of(runs(1, 2), SLURM)


def test_the_shards_of_a_study_as_it_is_planned(outputs: Path) -> None:
    study = plan(outputs, '"students.seeds" = [1, 2]\n"data.seed" = [1, 2]\n')
    assert names(shard_of(study.runs, "1/2")) == ["seeds-1_seed-1", "seeds-2_seed-1"]
    assert names(shard_of(study.runs, "2/2")) == ["seeds-1_seed-2", "seeds-2_seed-2"]
