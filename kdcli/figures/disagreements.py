"""Disagreements: test images on which teacher and students differ, with what each finds probable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdcli.figures.canvas import BLUE, GREY, ORANGE, class_ticks, legend, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kdcli.figures.view import Array, Subject, View

SHOWN = 12


def obstacle(view: View) -> str:
    """Say why the figure cannot be drawn; empty if it can."""
    if view.x_test.ndim != 3:
        return "it needs images"
    if not (view.teacher and view.students):
        return "it needs a teacher and students"
    return "" if _votes(view).any() else "teacher and students agree on every test image"


def _votes(view: View) -> Array:
    """Count the sets whose first student takes a test image for another class than the teacher, `(n,)`."""
    import numpy as np

    assert view.teacher is not None  # noqa: S101 - see obstacle
    taught = view.teacher.tested().argmax(1)
    votes: Array = np.sum([subject.tested().argmax(1) != taught for subject in view.students], axis=0)
    return votes


def _chosen(votes: Array) -> Array:
    """Return the images that most sets see differently, by their position in the test split."""
    import numpy as np

    order = np.argsort(-votes, kind="stable")
    chosen: Array = order[: min(SHOWN, int((votes > 0).sum()))]
    return chosen


def _shown(view: View) -> list[Subject]:
    """Return the teacher, the control, and the soft set of the highest temperature, of one model."""
    assert view.teacher is not None  # noqa: S101 - see obstacle
    first = view.students[0]
    alike = [s for s in view.students if (s.model, s.transfer_size) == (first.model, first.transfer_size)]
    control = [subject for subject in alike if subject.target == "labels"][:1]
    soft = sorted((s for s in alike if s.target == "soft"), key=lambda s: s.temperature)[-1:]
    return [view.teacher, *((control + soft) or alike[:2])]


def draw(view: View) -> Figure:
    """Draw each image beside the probabilities of the teacher, the control and a soft set."""
    import numpy as np

    votes, subjects = _votes(view), _shown(view)
    chosen = _chosen(votes)
    looks = [(GREY, ""), (ORANGE, "//"), (BLUE, "..")]
    figure, axes = panels(
        len(chosen),
        title=f"Where teacher and students of run {view.run} disagree",
        caption=(
            f"The test images that most of the {len(view.students)} student sets take for another class\n"
            f"than the teacher, by {view.drawn} of each. Bars: probability of each class. Titles: the\n"
            "true class, how many sets differ from the teacher, and what those in the legend predict."
        ),
    )
    probabilities = [subject.tested() for subject in subjects]
    places, names = np.arange(view.n_classes), view.class_names
    ticks = class_ticks(names)
    width = 0.8 / len(subjects)
    for ax, image in zip(axes, chosen, strict=True):
        for k, (subject, p, (color, hatch)) in enumerate(zip(subjects, probabilities, looks, strict=False)):
            label = subject.title if k == 0 else f"{subject.title} → {subject.model}"
            offset = (k - (len(subjects) - 1) / 2) * width
            ax.bar(
                places + offset,
                p[image],
                width,
                color=color,
                hatch=hatch,
                label=label,
                edgecolor="white",
                linewidth=0,
            )
        said = ", ".join(names[int(p[image].argmax())] for p in probabilities)
        truth = f"no. {int(image)}, true {names[int(view.y_test[image])]}, {int(votes[image])} differ"
        ax.set_title(f"{truth}\npredicted {said}", fontsize="small")
        ax.set_ylim(0, 2)  # the upper half is for the image
        ax.set_yticks([0, 0.5, 1])
        ax.set_xticks(list(ticks), ticks.values())
        ax.set_xlabel("class")
        ax.set_ylabel("probability", fontsize="small")
        inset = ax.inset_axes((0.3, 0.54, 0.4, 0.44))
        inset.imshow(view.x_test[image], cmap="gray_r", interpolation="nearest")
        inset.set_xticks([])
        inset.set_yticks([])
    handles, labels = axes[0].get_legend_handles_labels()
    legend(figure, handles, labels)
    return figure
