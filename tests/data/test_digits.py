import torch

from kdcli.data import SPLITS
from kdcli.data.digits import Digits, problems, sample


def test_all_digits_once_class_by_class_in_every_draw() -> None:
    made = sample(Digits(draws=2))
    pool, classes = made.pool, made.classes
    assert classes == tuple("0123456789")
    assert pool.x.shape == (1797, 8, 8)
    assert len(torch.unique(pool.x.flatten(1), dim=0)) == 1797
    for draw in range(2):
        sizes = {}
        for name in SPLITS:
            split = pool.split(name, draw)
            sizes[name] = len(split.y)
            assert float(split.x.min()) == 0
            assert float(split.x.max()) == 1
            shares = split.y.bincount() / len(split.y)
            assert float((shares - 0.1).abs().max()) < 0.01
        assert sizes == {"train": 1079, "val": 359, "test": 359}
        rows = torch.cat([pool.rows(name, draw) for name in SPLITS])
        assert sorted(rows.tolist()) == list(range(1797))


def test_too_few_left_for_training() -> None:
    assert problems(Digits()) == []
    assert "-203 would be left" in problems(Digits(n_val=1000, n_test=1000))[0]
