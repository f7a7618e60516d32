import pytest
import torch

from kdcli.errors import UsageError
from kdcli.targets import TARGETS, Knowledge, find_target

KNOWN = Knowledge(
    y=torch.tensor([0, 1, 1]),
    n_classes=2,
    posterior=torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]).double(),
    teacher_logits=torch.tensor([[0.0, 1.0], [2.0, 0.0], [-1.0, 3.0]]),
)


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_is_a_matrix_of_class_probabilities(name: str) -> None:
    matrix = TARGETS[name].build(KNOWN, 4.0)
    assert matrix.shape == (3, 2)
    assert matrix.dtype == torch.float32
    assert bool((matrix >= 0).all())
    torch.testing.assert_close(matrix.sum(1), torch.ones(3))


@pytest.mark.parametrize(
    ("name", "classes"), [("labels", [0, 1, 1]), ("hard", [1, 0, 1]), ("bayes", [0, 0, 1])]
)
def test_one_hot_targets(name: str, classes: list[int]) -> None:
    matrix = TARGETS[name].build(KNOWN, 1.0)
    assert matrix.argmax(1).tolist() == classes
    assert matrix.max(1).values.tolist() == [1, 1, 1]


def test_soft_is_the_softened_teacher() -> None:
    assert KNOWN.teacher_logits is not None
    torch.testing.assert_close(TARGETS["soft"].build(KNOWN, 4.0), (KNOWN.teacher_logits / 4).softmax(1))
    assert [name for name, target in TARGETS.items() if target.softened] == ["soft"]


def test_a_mistyped_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r"no target 'sfot'; did you mean soft\?"):
        find_target("sfot")
