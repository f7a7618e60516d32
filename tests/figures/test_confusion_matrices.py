from dataclasses import replace

import numpy as np

from kdcli.figures.confusion_matrices import count_pairs, draw, obstacle
from kdcli.figures.view import View


def test_counts_of_test_examples(view: View) -> None:
    ax = draw(view).axes[1]
    counts = {text.get_position(): int(text.get_text()) for text in ax.texts}
    predicted, y = np.tile([1, 0], 30), view.test.y
    expected = {(p, t): int(((y == t) & (predicted == p)).sum()) for t in range(2) for p in range(2)}
    assert counts == {place: count for place, count in expected.items() if count}
    assert ax.get_title() == f"labels (mlp:4)\n{int((y != predicted).sum())} errors"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    (image,) = ax.get_images()
    np.testing.assert_allclose(image.get_array().sum(1), 1)


def test_rows_are_true_classes() -> None:
    counts = count_pairs(np.array([0, 0, 2]), np.array([1, 1, 0]), 3)
    assert counts.tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 0]]


def test_no_room_for_many_classes(view: View) -> None:
    assert "no room for more" in obstacle(replace(view, class_names=[str(k) for k in range(21)]))
