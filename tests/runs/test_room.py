import re
from dataclasses import replace
from pathlib import Path

import pytest

from kdcli.errors import KdError
from kdcli.models import parse_model
from kdcli.models.family import Sizes
from kdcli.runs import room
from kdcli.runs.recipes import builtin, builtin_names


def test_a_refusal_says_what_is_needed_and_what_is_free() -> None:
    room.check_memory("ten samples need", 1000, lambda there: "", free=1100)
    with pytest.raises(KdError) as refused:
        room.check_memory("ten samples need", 2000, lambda there: f"lower it to {there}", free=1100)
    assert refused.value.message == "ten samples need about 2.2 kB of memory, but only 1.1 kB are free"
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


GB = 10**9
PLANE = Sizes(features=(2,), n_classes=2, train=1600, val=400, predicted=20_000, sets=5, seeds=10)
DIGITS = Sizes(features=(8, 8), n_classes=10, train=1079, val=359, predicted=1797, sets=5, seeds=10)
IMAGES = Sizes(features=(28, 28), n_classes=10, train=50_000, val=10_000, predicted=70_000, sets=7, seeds=10)


def test_points_are_counted_exactly() -> None:
    assert room.sampled(10**10) == (960 * GB, 320 * GB)


@pytest.mark.parametrize("name", builtin_names())
def test_the_recipes_that_come_with_kd_need_little(name: str, tmp_path: Path) -> None:
    recipe = builtin(name)
    sizes = {"digits": DIGITS, "mnist": IMAGES}.get(recipe.dataset, PLANE)
    sizes = replace(sizes, draws=recipe.data.draws, seeds=recipe.students.seeds)
    for text in recipe.students.models:
        room.check_training(parse_model(text), sizes, tmp_path, 4 * GB)
    teacher = replace(sizes, sets=1, seeds=1)
    room.check_training(parse_model(recipe.teacher.model), teacher, tmp_path, 4 * GB)


@pytest.mark.parametrize(
    ("model", "free", "hint"),
    [
        ("mlp:100", 10**8, r"lower --seeds to [1-9]\d*"),
        ("mlp:100", 2 * 10**6, "name fewer values of --target and --temperature, or lower --seeds"),
        ("mlp:100000", 10**7, "name a smaller --model, such as mlp:64,64"),
        ("tree", 10**7, r"lower --seeds to [1-9]\d*"),
    ],
)
def test_a_refused_training_says_what_to_lower(model: str, free: int, hint: str, tmp_path: Path) -> None:
    sizes = replace(PLANE, seeds=10_000)
    with pytest.raises(KdError, match=r"50,000 models .* need about .* of memory") as refused:
        room.check_training(parse_model(model), sizes, tmp_path, free)
    assert re.fullmatch(hint, refused.value.hint)
    if match := re.search(r"\d+", refused.value.hint.partition("to ")[2]):
        fitting = replace(sizes, seeds=int(match[0]))
        room.check_training(parse_model(model), fitting, tmp_path, free)


@pytest.mark.parametrize(
    ("seeds", "sets", "free", "hint"),
    [
        (50, 3, 2 * 10**8, r"lower --seeds to [1-9]"),
        (1, 3, 3 * 10**7, "name fewer values of --target and --temperature, or lower --seeds"),
        (1, 1, 10**7, "make data with fewer --draws"),
        (1, 1, 10**3, "name a smaller --model, such as mlp:64,64"),
    ],
)
def test_fewer_draws_are_advised_where_fewer_students_are_not_enough(
    seeds: int, sets: int, free: int, hint: str, tmp_path: Path
) -> None:
    sizes = replace(PLANE, draws=20, seeds=seeds, sets=sets)
    model = parse_model("mlp:100")
    with pytest.raises(KdError, match=rf"{20 * seeds * sets:,} models mlp:100 need about") as refused:
        room.check_training(model, sizes, tmp_path, free)
    assert re.fullmatch(hint, refused.value.hint)
    if "--draws" in hint:
        room.check_training(model, replace(sizes, draws=1), tmp_path, free)


def test_more_seeds_than_can_be_listed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "free_memory", lambda: 10**9)
    room.check_seeds(1000, 5)
    with pytest.raises(KdError, match=r"10\^30 students need") as refused:
        room.check_seeds(10**30, 1)
    assert refused.value.hint == "lower --seeds to 4500000"
