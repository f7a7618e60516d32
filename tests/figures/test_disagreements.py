from dataclasses import replace

import numpy as np
from figures.views import HALF_RIGHT, caption, predicting, students

from kdcli.figures.disagreements import count_disagreements, draw, finding, obstacle
from kdcli.figures.view import View


def test_the_images_on_which_most_sets_disagree_come_first(images: View) -> None:
    odd, rare = HALF_RIGHT.copy(), HALF_RIGHT.copy()
    odd[[5, 8]] = odd[[5, 8]][:, ::-1]
    rare[8] = rare[8][::-1]
    sets = [students("labels", logits=predicting(odd)), students("soft, T = 4", logits=predicting(rare))]
    view = replace(images, students=sets)
    assert count_disagreements(view)[[5, 8, 9]].tolist() == [1, 2, 0]
    assert finding(view) == "On 2 of 60 test images at least one of 2 student sets disagrees with the teacher"
    assert (
        finding(replace(view, students=sets[1:]))
        == "On 1 of 60 test images soft, T = 4 disagrees with the teacher"
    )
    figure = draw(view)
    assert [ax.get_title().splitlines()[0] for ax in figure.axes] == [
        f"image 8, true class {images.test.y[8]}; 2 of 2 sets disagree",
        f"image 5, true class {images.test.y[5]}; 1 of 2 sets disagree",
    ]
    assert figure.axes[0].get_title().endswith("predicted 1, 0, 0")
    assert figure.axes[1].get_title().endswith("predicted 0, 1, 0")
    heights = [[bar.get_height() for bar in group] for group in figure.axes[0].containers]
    np.testing.assert_allclose(heights, [HALF_RIGHT[8], odd[8], rare[8]])
    (inset,) = figure.axes[0].child_axes
    np.testing.assert_array_equal(inset.get_images()[0].get_array(), images.test.x[8])


def test_classes_are_called_by_their_names(images: View) -> None:
    ax = draw(replace(images, class_names=("cat", "dog"))).axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["cat", "dog"]
    truth = ("cat", "dog")[images.test.y[7]]
    assert f"image 7, true class {truth}; 1 of 7 sets disagree\npredicted cat, dog" in ax.get_title()


def test_the_caption_says_whose_predictions_are_shown(images: View) -> None:
    assert "teacher. Students: seed 0 of each set. Bars" in caption(draw(images))
    of_draws = draw(replace(images, draws=2))
    assert "Shown is draw 0 of 2: its teacher and seed 0 of each set. Bars" in caption(of_draws)


def test_it_needs_images_that_models_disagree_on(view: View, images: View) -> None:
    assert "needs images" in obstacle(view)
    assert "agree on every" in obstacle(replace(images, students=[students("labels")]))
    assert "a teacher and students" in obstacle(replace(images, teacher=None))


def test_colours_are_drawn_as_they_are(images: View) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (len(images.test.y), 3, 5, 4), dtype=np.uint8)
    view = replace(images, splits={**images.splits, "test": replace(images.test, x=colours)})
    assert obstacle(view) == ""
    (inset,) = draw(view).axes[0].child_axes
    assert np.moveaxis(inset.get_images()[0].get_array(), -1, 0).tolist() in colours.tolist()
