from pathlib import Path

import pytest
from harness import opened

from kdcli.report.data import classes_table, sizes_text


def test_sizes_tell_how_draws_come_about(tiny: Path, two_draws_run: Path) -> None:
    one, two = (opened(folder).data.description for folder in (tiny, two_draws_run / "tiny"))
    assert sizes_text(one) == "2 classes; 160 training, 40 validation and 400 test examples"
    assert sizes_text(two) == f"{sizes_text(one)} in each of 2 draws, each sampled anew"


def test_shares_of_the_classes_are_those_of_all_draws(one_or_two_draws: Path) -> None:
    data = opened(one_or_two_draws).data
    rows = list(classes_table(data).rows())
    assert [row.title.text for row in rows] == ["0", "1"]
    for column, split in enumerate(("train", "val", "test")):
        shares = [row.cells[column].value for row in rows]
        y = data.pool.y[data.pool.index[split]]
        assert shares == pytest.approx([float((y == k).float().mean()) for k in (0, 1)])
