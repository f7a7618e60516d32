from itertools import pairwise

from matplotlib.colors import to_rgb

from kdcli.figures.looks import COLORS, class_look, line_look


def test_lines_and_classes_differ_in_looks() -> None:
    assert len({tuple(line_look(k).values()) for k in range(60)}) == 60
    assert len({tuple(class_look(k).values()) for k in range(56)}) == 56


def test_neighbouring_lines_differ_in_grey_print() -> None:
    grey = [sum(w * c for w, c in zip((0.299, 0.587, 0.114), to_rgb(c), strict=True)) for c in COLORS]
    assert all(abs(one - other) > 0.15 for one, other in pairwise(grey))
    assert all(one["marker"] != other["marker"] for one, other in pairwise(map(line_look, range(9))))
    assert all(one["linestyle"] != other["linestyle"] for one, other in pairwise(map(line_look, range(9))))
