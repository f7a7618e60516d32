"""Disagreements: test images on which teacher and students disagree, with the probabilities of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdcli.figures.canvas import panels
from kdcli.figures.captions import caption_of_shown
from kdcli.figures.kind import FigureKind
from kdcli.figures.legends import legend
from kdcli.figures.looks import BLUE, GREY, ORANGE
from kdcli.figures.ticks import class_ticks
from kdcli.figures.wrapping import SMALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, View

SHOWN = 9
LOOKS = ((GREY, ""), (ORANGE, "//"), (BLUE, ".."))  # colour and hatch of each model
CAPTION = (
    "The test images on which most student sets disagree with the teacher. {} "
    "Bars: predicted probability of each class. Titles: true class, number of sets that disagree, and the "
    "classes predicted by the models of the legend, in its order."
)


def obstacle(view: View) -> str:
    """Return why the figure cannot be drawn; empty if it can."""
    if view.test.x.ndim not in (3, 4):
        return "it needs images"
    if not (view.teacher and view.students):
        return "it needs a teacher and students"
    return "" if count_disagreements(view).any() else "teacher and students agree on every test image"


def count_disagreements(view: View) -> Array:
    """Count the student sets that disagree with the teacher's class on each test image, `(n,)`."""
    import numpy as np

    assert view.teacher is not None  # noqa: S101 - see obstacle
    taught = view.teacher.probabilities().argmax(1)
    predicted = np.stack([subject.probabilities().argmax(1) for subject in view.students])
    counts: Array = (predicted != taught).sum(0)
    return counts


def draw(view: View) -> Figure:
    """Draw each image beside the probabilities of the teacher, the control and a soft set."""
    import numpy as np

    disagreeing, subjects = count_disagreements(view), view.representatives
    images = np.argsort(-disagreeing, kind="stable")[: min(SHOWN, int((disagreeing > 0).sum()))]
    p = np.stack([subject.probabilities()[images] for subject in subjects], axis=1)
    titles = []
    for image, predicted in zip(images, p.argmax(2), strict=True):
        truth = f"image {image}, true class {view.class_names[view.test.y[image]]}"
        counts = f"{disagreeing[image]} of {len(view.students)} sets disagree"
        titles.append(f"{truth}; {counts}\npredicted {', '.join(view.class_names[k] for k in predicted)}")
    figure, axes = panels(
        titles,
        title=f"{finding(view)}, run {view.run}",
        caption=CAPTION.format(caption_of_shown(view)),
        font=SMALL,
    )
    labels = [subjects[0].title, *(subject.name for subject in subjects[1:])]
    for ax, image, of_image in zip(axes, images, p, strict=True):
        _panel(ax, view, int(image), of_image, labels)
    handles, labels = axes[0].get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure


def finding(view: View) -> str:
    """Say on how many test images any student set disagrees with the teacher."""
    disagreeing, sets = count_disagreements(view), len(view.students)
    who = f"at least one of {sets} student sets" if sets > 1 else view.students[0].title
    images = f"{int((disagreeing > 0).sum()):,} of {len(disagreeing):,} test images"
    return f"On {images} {who} disagrees with the teacher"


def _panel(ax: Axes, view: View, image: int, p: Array, labels: Sequence[str]) -> None:
    """Draw a test image above the probabilities `p (models, n_classes)` of its classes."""
    import numpy as np

    places, width = np.arange(view.n_classes), 0.8 / len(p)
    for k, (heights, label, (color, hatch)) in enumerate(zip(p, labels, LOOKS, strict=False)):
        look: dict[str, Any] = {"color": color, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
        ax.bar(places + (k - (len(p) - 1) / 2) * width, heights, width, label=label, **look)
    ticks = class_ticks(view.class_names)
    ax.set_ylim(0, 2)  # the upper half is for the image
    ax.set_yticks([0, 0.5, 1])
    ax.set_xticks(list(ticks), ticks.values())
    ax.set_xlabel("class")
    ax.set_ylabel("probability", fontsize="small", y=0.25)
    inset = ax.inset_axes((0.3, 0.54, 0.4, 0.44))
    pixels = view.test.x[image]
    inset.imshow(
        pixels if pixels.ndim == 2 else np.moveaxis(pixels, 0, -1), cmap="gray_r", interpolation="nearest"
    )
    inset.set_xticks([])
    inset.set_yticks([])


SEE = (
    "Each panel is a test image on which students and teacher predict different classes. Check whether "
    "the image is hard for a person too, and whether each model spreads its probability or is sure of "
    "one class."
)

FIGURE = FigureKind(
    "test images on which teacher and students disagree, with their probabilities",
    SEE,
    draw,
    obstacle,
    shows=True,
)
