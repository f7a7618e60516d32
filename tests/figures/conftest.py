"""Views of runs for tests of single figures."""

import pytest
from figures.views import image_view, plane_view, several_draws, three_class_view

from kdcli.figures.view import View


@pytest.fixture
def view() -> View:
    return plane_view()


@pytest.fixture
def images() -> View:
    return image_view()


@pytest.fixture
def draws(view: View) -> View:
    """The run as one of two draws."""
    return several_draws(view)


@pytest.fixture
def three_classes() -> View:
    return three_class_view()
