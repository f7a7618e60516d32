import json
import re
from dataclasses import fields, replace

import pytest

from kdcli.data import DATASETS
from kdcli.runs.recipe import Students, Teacher
from kdcli.runs.recipe_reading import parse
from kdcli.runs.recipe_text import dump
from kdcli.runs.recipes import builtin, builtin_names
from kdcli.settings import rules


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_recipes_read_back_as_written(name: str) -> None:
    recipe = builtin(name)
    assert parse(dump(recipe), "again") == recipe


@pytest.mark.parametrize("name", builtin_names())
def test_every_key_of_a_recipe_is_explained(name: str) -> None:
    recipe = builtin(name)
    lines = dump(recipe).splitlines()
    assert max(map(len, lines)) <= 110
    section, comment = "", []
    explained: dict[str, list[str]] = {"data": [], "teacher": [], "students": []}
    for line in lines:
        if head := re.match(r"\[(\w+)\]  # \w", line):
            section, comment = head[1], []
        elif line.startswith("# "):
            comment.append(line.removeprefix("# ").strip())
        elif key := re.match(r"(\w+) = ", line):
            explained[section].append(key[1])
            config = getattr(recipe, section)
            words = " ".join(comment)
            comment = []
            if key[1] == "dataset":
                assert all(dataset in words for dataset in DATASETS)
                continue
            rule = rules(type(config))[key[1]]
            assert words.startswith(rule.help)
            assert rule.values in words
            assert rule.allowed in words
            (default,) = (field.default for field in fields(config) if field.name == key[1])
            told = re.search(r"default: (.*)$", words)
            assert told
            assert json.loads(told[1]) == (list(default) if isinstance(default, tuple) else default)
    assert explained == {
        "data": ["dataset", *rules(type(recipe.data))],
        "teacher": list(rules(Teacher)),
        "students": list(rules(Students)),
    }


def test_values_that_toml_has_to_escape_or_to_wrap_are_read_back() -> None:
    models = tuple(f"tree:max_leaf_nodes={n}" for n in range(2, 30))
    recipe = replace(builtin("moons"), students=Students(models=models, learning_rate=1e-300))
    assert parse(dump(recipe), "again") == recipe
