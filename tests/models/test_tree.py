from dataclasses import replace

import pytest

from kdcli.errors import UsageError
from kdcli.models import parse_model
from kdcli.models.family import Need, Sizes
from kdcli.models.tree import Tree


@pytest.mark.parametrize(
    ("text", "tree", "slug"),
    [
        ("tree", Tree(), "tree"),
        ("tree:max_depth=6", Tree(max_depth=6), "tree-depth6"),
        ("tree:max_leaf_nodes=16", Tree(max_leaf_nodes=16), "tree-leaves16"),
        ("tree:min_samples_leaf=5", Tree(min_samples_leaf=5), "tree-size5"),
        ("tree:max_depth=4,max_leaf_nodes=16", Tree(4, 16), "tree-depth4-leaves16"),
        ("tree:shrink=auto", Tree(shrink="auto"), "tree-shrink"),
        ("tree:max_leaf_nodes=32,shrink=10", Tree(max_leaf_nodes=32, shrink=10.0), "tree-leaves32-shrink10"),
        ("tree:shrink=0.5", Tree(shrink=0.5), "tree-shrink0.5"),
        ("tree:shrink=0.000001", Tree(shrink=1e-6), "tree-shrink0.000001"),
    ],
)
def test_parse_and_names(text: str, tree: Tree, slug: str) -> None:
    assert parse_model(text) == tree
    assert str(tree) == text
    assert tree.slug == slug


def test_one_tree_has_one_name_however_it_is_written() -> None:
    assert str(parse_model("tree:min_samples_leaf=2,max_depth=3")) == "tree:max_depth=3,min_samples_leaf=2"
    assert str(parse_model("tree:min_samples_leaf=1")) == "tree"
    assert str(parse_model("tree:shrink=010.50,max_depth=3")) == "tree:max_depth=3,shrink=10.5"
    assert str(parse_model("tree:shrink=1000000000")) == "tree:shrink=1000000000"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tree:depth=3", "no limit 'depth'; did you mean max_depth?"),
        ("tree:max_depth", "max_depth must be a whole number from 1 to 1000000000, not nothing"),
        ("tree:max_depth=0", "from 1 to 1000000000, not '0'"),
        ("tree:max_depth=-1", "not '-1'"),
        ("tree:max_depth=2.5", "not '2.5'"),
        ("tree:max_depth=99999999999", "not '99999999999'"),
        ("tree:max_leaf_nodes=1", "from 2 to"),
        ("tree:max_depth=3,", "a limit is missing"),
        ("tree:max_depth=3,max_depth=4", "max_depth is given twice"),
        (
            "tree:shrink",
            "shrink must be auto or a number above 0 and up to 1000000000, such as 0.5, not noth",
        ),
        ("tree:shrink=0", "not '0'"),
        ("tree:shrink=-1", "not '-1'"),
        ("tree:shrink=inf", "not 'inf'"),
        ("tree:shrink=1e3", "not '1e3'"),
        ("tree:shrink=2000000000", "not '2000000000'"),
        ("tree:shrink=Auto", "not 'Auto'"),
        ("tree:shrnk=auto", "no limit 'shrnk'; did you mean shrink?"),
        ("tree:max_depth=3,max_leaf_nodes=9", "out of reach with max_depth=3, which allows 8 leaves"),
    ],
)
def test_what_does_not_parse_says_how_to_write_it(text: str, words: str) -> None:
    with pytest.raises(UsageError) as problem:
        parse_model(text)
    assert words in problem.value.message
    assert "tree:max_depth=6" in problem.value.hint


def test_too_few_examples_to_split() -> None:
    assert Tree(min_samples_leaf=5).problem((2,), 10) == ""
    problem = Tree(min_samples_leaf=5).problem((2,), 9)
    assert "allows no split of 9 training examples; use at most 4" in problem


def test_what_limits_it() -> None:
    limits = ["tree", "tree:max_leaf_nodes=9", "tree:max_depth=3", "tree:max_leaf_nodes=9,min_samples_leaf=2"]
    assert [Tree.parse(text[5:]).limited_by for text in limits] == ["nothing", "leaves", "else", "else"]


def test_shrinkage_is_no_limit_and_is_described() -> None:
    tree = Tree(max_leaf_nodes=9, shrink="auto")
    assert tree.limited_by == "leaves"
    assert tree.limits == {"max_depth": None, "max_leaf_nodes": 9, "min_samples_leaf": 1}
    assert tree.least_bytes((2,), 2, 1000) == Tree(max_leaf_nodes=9).least_bytes((2,), 2, 1000)
    assert (tree.described, Tree(9).described) == (("leaves", "depth", "shrink"), ("leaves", "depth"))


def test_limits_bound_the_bytes_of_a_tree() -> None:
    node = 8 * (4 + 2)
    sizes = {
        Tree(): 249,
        Tree(max_leaf_nodes=16): 31,
        Tree(max_depth=3): 15,
        Tree(max_depth=10**9): 249,
        Tree(min_samples_leaf=100): 19,
        Tree(min_samples_leaf=5000): 1,
    }
    assert {tree: tree.least_bytes((2,), 2, 1000) // node for tree in sizes} == sizes


def test_the_trees_of_one_set_at_a_time_are_in_memory() -> None:
    several = Sizes((2,), 2, train=1000, val=100, predicted=100, sets=3, seeds=5)
    single = Sizes((2,), 2, train=1000, val=100, predicted=100, sets=1, seeds=5)
    assert Tree().needs(several).memory == Tree().needs(single).memory
    assert Tree().needs(several).disk == 3 * Tree().needs(single).disk
    assert Tree().needs(replace(single, draws=4)) == Need(*(4 * need for need in Tree().needs(single)))
