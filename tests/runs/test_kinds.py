from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdcli.errors import UsageError
from kdcli.runs.kinds import KINDS, kind_of, parse
from kdcli.runs.records import folder_of
from kdcli.store import Meta, Store

NAMES = ["data", "teacher", "students/labels-mlp4", "students/soft-T4-mlp4"]


def meta_of(run: Path, name: str) -> Meta:
    return Store(run.parent).run(run.name).artefact(name).meta()


def test_names_tell_kinds_and_folders() -> None:
    assert [kind_of(name).stage for name in NAMES] == ["gen-data", "train-teacher", "distill", "distill"]
    assert [folder_of(name) for name in NAMES] == ["data", "teacher", "labels-mlp4", "soft-T4-mlp4"]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_stage_wrote_is_read_and_nothing_of_other_parents(tiny: Path, name: str) -> None:
    meta = meta_of(tiny, name)
    record = parse(name, meta)
    assert isinstance(record, KINDS[name.partition("/")[0]].record)
    assert record.to_record() == meta.config
    assert set(record.parents) == set(meta.parents)
    others: list[dict[str, str]] = [{**meta.parents, "other": "0"}]
    others += [{k: v for k, v in meta.parents.items() if k != parent} for parent in meta.parents]
    for parents in others:
        with pytest.raises(ValueError, match=r"it is made from .*, not from "):
            parse(name, replace(meta, parents=parents))
    with pytest.raises((ValueError, UsageError)):
        parse(name, replace(meta, config={**meta.config, "more": 1}))


@pytest.mark.parametrize(
    "scores",
    [
        None,
        0.5,
        [],
        [0.5, 0.5],
        [[]],
        [[0.5] * 3],
        [[0.5, 0.5], [0.5]],
        ["0.5"],
        [["0.5"] * 2],
        [[True] * 2],
        [[float("nan"), 0.5]],
        [[0.5, 0.5], [-0.1, 0.5]],
        [[None] * 2],
    ],
)
@pytest.mark.parametrize("metric", ["accuracy", "errors", "nll", "more"])
def test_scores_are_numbers_at_least_0_one_for_each_model_of_each_draw(
    tiny: Path, metric: str, scores: Any
) -> None:
    meta = meta_of(tiny, NAMES[3])
    words = "(is not scored on any draw|is not scored for each of 2 models|has scores that are not numbers)"
    with pytest.raises(ValueError, match=f"{metric} {words}"):
        parse(NAMES[3], replace(meta, metrics={**meta.metrics, metric: scores}))


def test_scores_that_are_recorded_are_all_there(tiny: Path) -> None:
    meta = meta_of(tiny, "teacher")
    assert {name: [len(draw) for draw in values] for name, values in meta.metrics.items()} == {
        "accuracy": [1],
        "errors": [1],
        "nll": [1],
    }
    for metric in ("accuracy", "errors", "nll"):
        with pytest.raises(ValueError, match=f"{metric} is not scored on any draw"):
            parse("teacher", replace(meta, metrics={k: v for k, v in meta.metrics.items() if k != metric}))
    assert parse("teacher", replace(meta, metrics={**meta.metrics, "nll": [[float("inf")], [0.0]]}))
