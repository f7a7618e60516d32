import torch

from kdcli.data.digits import Digits, problems, sample


def test_all_digits_once_class_by_class() -> None:
    splits, classes, _ = sample(Digits())
    assert classes == tuple("0123456789")
    assert {name: len(split.y) for name, split in splits.items()} == {"train": 1079, "val": 359, "test": 359}
    for split in splits.values():
        assert split.x.shape[1:] == (8, 8)
        assert float(split.x.min()) == 0
        assert float(split.x.max()) == 1
        shares = split.y.bincount() / len(split.y)
        assert float((shares - 0.1).abs().max()) < 0.01
    whole = torch.cat([split.x.flatten(1) for split in splits.values()])
    assert len(torch.unique(whole, dim=0)) == len(whole) == 1797


def test_too_few_left_for_training() -> None:
    assert problems(Digits()) == []
    assert "-203 would be left" in problems(Digits(n_val=1000, n_test=1000))[0]
