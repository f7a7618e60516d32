import pytest
from figures.views import laid_out
from matplotlib.figure import Figure

from kdcli.figures.canvas import panels
from kdcli.figures.legends import legend


def with_legend(labels: list[str], *, count: int = 5) -> Figure:
    """A figure of panels with a legend of these labels."""
    figure, axes = panels(["panel"] * count, title="title", caption="one line\nanother")
    for ax in axes:
        ax.set_xlabel("label")
    legend(figure, [axes[0].plot([0, 1])[0] for _ in labels], labels)
    return laid_out(figure)


NAME = "soft (tree:max_depth=12, n = 400 + munge:3, labels from = teacher)"


@pytest.mark.parametrize("entries", [1, 4, 13])
@pytest.mark.parametrize("name", ["line", NAME, NAME * 4])
def test_a_legend_has_room_between_panels_and_caption(entries: int, name: str) -> None:
    figure = with_legend([f"{name} {k}" for k in range(entries)])
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.axes[-1].xaxis.label.get_window_extent().y0
    assert box.y0 >= figure.texts[-1].get_window_extent().y1


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        (["a"] * 3, 3),
        (["a"] * 5, 3),  # in two rows: not two entries in one column, and one in each of three others
        (["a"] * 8, 4),
        (["a"] * 9, 3),
        (["m" * 11] * 8, 4),
        (["m" * 16] * 9, 3),
        ([NAME * 3] * 9, 2),
        ([NAME * 3], 1),
    ],
)
def test_a_legend_of_longer_labels_has_fewer_columns(labels: list[str], columns: int) -> None:
    drawn = with_legend(labels).legends[0].get_texts()
    assert len({round(text.get_window_extent().x0) for text in drawn}) == columns
    assert any("\n" in text.get_text() for text in drawn) == (labels[0] == NAME * 3)


def test_panels_keep_their_size_and_distance_from_the_title_above_a_high_legend() -> None:
    short, high = (with_legend(["line"] * count) for count in (1, 20))
    assert high.bbox.height > short.bbox.height + 0.8 * high.dpi
    for before, after in zip(short.axes, high.axes, strict=True):
        assert after.bbox.bounds[2:] == pytest.approx(before.bbox.bounds[2:])
        assert high.bbox.y1 - after.bbox.y1 == pytest.approx(short.bbox.y1 - before.bbox.y1)
    (before, caption_before), (after, caption_after) = (
        [text.get_window_extent() for text in figure.texts] for figure in (short, high)
    )
    assert high.bbox.y1 - after.y1 == pytest.approx(short.bbox.y1 - before.y1)
    assert caption_after.y0 == pytest.approx(caption_before.y0)
