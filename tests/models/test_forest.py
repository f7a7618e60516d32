import pytest

from kdcli.errors import UsageError
from kdcli.models import parse_model
from kdcli.models.family import Sizes
from kdcli.models.forest import Forest
from kdcli.models.tree import Tree


@pytest.mark.parametrize(
    ("text", "forest", "slug"),
    [
        ("forest:100", Forest(100), "forest100"),
        ("forest:8,max_depth=6", Forest(8, Tree(6)), "forest8-depth6"),
        ("forest:8,max_depth=4,max_leaf_nodes=16", Forest(8, Tree(4, 16)), "forest8-depth4-leaves16"),
    ],
)
def test_parse_and_names(text: str, forest: Forest, slug: str) -> None:
    assert parse_model(text) == forest
    assert str(forest) == text
    assert forest.slug == slug


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("forest", "from 1 to 10000, not nothing"),
        ("forest:0", "not '0'"),
        ("forest:max_depth=3", "not 'max_depth=3'"),
        ("forest:10001", "not '10001'"),
        ("forest:10,shrink=auto", "shrink is for single trees"),
        ("forest:10,depth=3", "no limit 'depth'; did you mean max_depth?"),
    ],
)
def test_what_does_not_parse_says_how_to_write_it(text: str, words: str) -> None:
    with pytest.raises(UsageError) as problem:
        parse_model(text)
    assert words in problem.value.message
    assert "forest:TREES" in problem.value.hint


def test_it_is_limited_and_sized_as_its_trees_are() -> None:
    forest, tree = Forest(10, Tree(min_samples_leaf=5)), Tree(min_samples_leaf=5)
    assert forest.problem((2,), 9) == tree.problem((2,), 9) != ""
    assert forest.least_bytes((2,), 3, 400) == 10 * tree.least_bytes((2,), 3, 400)
    assert (forest.takes("class_weight"), forest.takes("epochs")) == (True, False)
    sizes = Sizes((2,), 3, train=400, val=100, predicted=100, sets=4, seeds=5)
    assert forest.needs(sizes).disk > 9 * tree.needs(sizes).disk - 10**6
