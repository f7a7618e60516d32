from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from customers import customers
from harness import Kd

from kdcli.errors import KdError, UsageError
from kdcli.evidence.gather import gather
from kdcli.evidence.groups import ANOTHER, LEAST, MISSING, ByGroup, by_groups, groups_by
from kdcli.progress import unwatched
from kdcli.runs.experiment import Experiment
from kdcli.stats import holm
from kdcli.store import Store


@pytest.fixture
def own(kd: Kd) -> Experiment:
    customers(rows=600)
    assert kd("gen-data", "customers.csv", "--label", "left", "--draws", "2").code == 0
    assert kd("train-teacher", "--model", "tree:max_depth=4").code == 0
    assert (
        kd(
            "distill",
            "--model",
            "tree:max_depth=2",
            "--target",
            "labels,soft",
            "--temperature",
            "1",
            "--seeds",
            "3",
        ).code
        == 0
    )
    return Experiment.open(Store().existing_run(None))


def grouped(experiment: Experiment, by: str) -> ByGroup:
    return by_groups(experiment, gather(experiment), by)


def test_by_class_accuracies_are_those_of_the_predictions(own: Experiment) -> None:
    found = grouped(own, "class")
    assert [group.name for group in found.groups] == ["no", "yes"]
    (students,) = [s for s in own.students() if s.set.target == "soft"]
    logits = students.load_tested()
    for k, row in enumerate(found.rows):
        expected = []
        for draw in range(2):
            y = own.data.pool.labels("test", draw)
            right = (logits[draw].argmax(-1) == y).double()
            expected.append(float(right[:, y == k].mean()))
            assert row.group.examples[draw] == int((y == k).sum())
        assert row.accuracy == pytest.approx(np.mean(expected))
        assert row.versus.difference == pytest.approx(row.accuracy - row.of_control)
        assert row.of_teacher is not None


def test_all_groups_share_one_correction(own: Experiment) -> None:
    rows = grouped(own, "plan").rows
    tested = [row.versus for row in rows if row.versus.p_value is not None]
    assert [versus.adjusted for versus in tested] == holm([versus.p_value or 0.0 for versus in tested])


def names_of(experiment: Experiment, by: str) -> list[str]:
    """The group of each test example of draw 0; each must have exactly one."""
    groups = list(groups_by(experiment.data, by))
    members = torch.stack([group.members[0] for group in groups])
    assert bool((members.sum(0) == 1).all())
    return [groups[k].name for k in members.int().argmax(0).tolist()]


def rows_of(experiment: Experiment) -> pl.DataFrame:
    """The rows of the test examples of draw 0, as they stand in the file."""
    rows = experiment.data.dataset.rows(experiment.data.record.config, unwatched)  # type: ignore[misc]
    frame = pl.read_csv("customers.csv")
    return frame[rows.position[experiment.data.pool.rows("test", 0)].tolist()]


def test_categories_and_yes_and_no_are_those_of_the_file(own: Experiment) -> None:
    for column in ("plan", "active"):
        assert names_of(own, column) == rows_of(own)[column].to_list()


def test_numbers_are_cut_at_quartiles_and_missing_ones_stand_apart(own: Experiment) -> None:
    spent = rows_of(own)["spent"].to_list()
    names = names_of(own, "spent")
    assert [name == MISSING for name in names] == [value is None for value in spent]
    for name, value in zip(names, spent, strict=True):
        if value is not None:
            parts = dict(part.rsplit(" ", 1) for part in name.split(", "))
            assert float(parts.get("above", "-inf")) < value + 1e-4
            assert value <= float(parts.get("up to", "inf")) + 1e-4
    counts = [names.count(name) for name in set(names) - {MISSING}]
    assert len(counts) == 4
    assert max(counts) < 2 * min(counts)


def test_rare_categories_are_together(kd: Kd) -> None:
    lines = [f"{'common' if k % 10 else f'rare{k}'},{k % 7},{'ab'[k % 2]}" for k in range(300)]
    Path("rare.csv").write_text("kind,n,y\n" + "\n".join(lines) + "\n")
    assert kd("gen-data", "rare.csv", "--label", "y", "--draws", "1", "--categorical", "kind").code == 0
    names = names_of(Experiment.open(Store().existing_run(None)), "kind")
    assert set(names) == {"common", ANOTHER}


def test_a_column_that_no_model_learns_from_is_read_from_the_file(own: Experiment) -> None:
    with pytest.raises(KdError, match=f"no group by customerID has {LEAST} test examples"):
        grouped(own, "customerID")
    Path("customers.csv").write_text("changed")
    with pytest.raises(KdError):
        grouped(own, "customerID")


def test_small_groups_are_left_out_and_told(kd: Kd) -> None:
    rows = [f"{'ab'[k % 40 == 0]},{k % 7},{'xy'[k * k % 3 == 1]}" for k in range(300)]
    Path("few.csv").write_text("part,n,y\n" + "\n".join(rows) + "\n")
    assert kd("gen-data", "few.csv", "--label", "y", "--draws", "1", "--categorical", "part").code == 0
    assert kd("train-teacher", "--model", "tree:max_depth=2").code == 0
    assert (
        kd("distill", "--model", "linear", "--target", "labels,soft", "--seeds", "2", "--epochs", "2").code
        == 0
    )
    found = grouped(Experiment.open(Store().existing_run(None)), "part")
    assert [group.name for group in found.groups] == ["a"]
    assert found.small == [ANOTHER]


def test_groups_of_one_name_and_more_than_are_compared(kd: Kd) -> None:
    lines = [f"{['(missing)', '', 'c'][k % 3]},{k % 45},{'ab'[k % 2]}" for k in range(2400)]
    Path("names.csv").write_text("kind,zip,y\n" + "\n".join(lines) + "\n")
    options = ("--draws", "1", "--categorical", "kind", "--categorical", "zip", "--test-fraction", "0.5")
    assert kd("gen-data", "names.csv", "--label", "y", *options).code == 0
    assert (
        kd("distill", "--model", "linear", "--target", "labels,smooth", "--seeds", "2", "--epochs", "2").code
        == 0
    )
    experiment = Experiment.open(Store().existing_run(None))
    assert len(grouped(experiment, "kind").groups) == 3
    by_label = grouped(experiment, "y")
    assert by_label.by_class
    assert [group.name for group in by_label.groups] == ["a", "b"]
    by_zip = grouped(experiment, "zip")
    assert (len(by_zip.groups), by_zip.more) == (21, 0)  # twenty levels, and all others


def test_quartiles_are_those_of_values_that_are_there(kd: Kd) -> None:
    lines = [f"{k if k % 10 < 3 else ''},{k % 7},{'ab'[k % 2]}" for k in range(3000)]
    Path("holes.csv").write_text("u,v,y\n" + "\n".join(lines) + "\n")
    assert kd("gen-data", "holes.csv", "--label", "y", "--draws", "1", "--numeric", "u").code == 0
    groups = list(groups_by(Experiment.open(Store().existing_run(None)).data, "u"))
    assert len(groups) == 5
    counts = [sum(group.examples) for group in groups if group.name != MISSING]
    assert max(counts) < 2 * min(counts)


def test_what_is_no_column_is_refused_with_those_there_are(own: Experiment) -> None:
    with pytest.raises(UsageError, match="no group 'plans'; did you mean plan"):
        grouped(own, "plans")
