import json
from pathlib import Path

import pytest
from harness import Kd
from sweeping import TINY_SWEEP

SWEEP = (
    TINY_SWEEP
    + """"data.seed" = [0, 1, 2]
"""
)


@pytest.fixture
def parts(kd: Kd, outputs: Path) -> list[str]:
    """Three outputs folders, each with a part of a study."""
    Path("mine.toml").write_text(SWEEP)
    folders = [f"part{k}" for k in (1, 2, 3)]
    for k, folder in enumerate(folders, 1):
        assert kd("sweep", "mine.toml", "--shard", f"{k}/3", "--jobs", "1", "--outputs", folder).code == 0
    return folders


def test_parts_come_to_the_study_that_one_machine_makes(kd: Kd, outputs: Path, parts: list[str]) -> None:
    some = kd("sweep", "mine.toml", "--merge", ",".join(parts[:2]))
    assert some.code == 1
    assert "collected 2 runs, 2 of 3 are present" in some.out
    assert "missing from all parts: seed-2" in some.out
    rest = kd("sweep", "mine.toml", "--merge", ",".join(parts), "--json")
    assert rest.code == 0
    assert json.loads(rest.out)["taken"] == 1
    assert kd("sweep", "mine.toml", "--study", "whole", "--jobs", "1").code == 0

    def digests(study: str) -> list[dict[str, str]]:
        names = [f"seed-{seed}" for seed in range(3)]
        return [json.loads((outputs / study / name / "made.json").read_text())["digests"] for name in names]

    assert digests("mine") == digests("whole")
    assert kd("check", "mine").code == 0
    assert kd("sweep", "mine.toml").out.startswith("study mine: 3 of 3 runs made\n")  # none by this call


def test_parts_of_other_plans_machines_or_content_are_refused_and_nothing_is_taken(
    kd: Kd, outputs: Path, parts: list[str]
) -> None:
    made = Path(parts[0]) / "mine/seed-0/made.json"
    record = json.loads(made.read_text())
    made.write_text(json.dumps({**record, "machine": {**record["machine"], "torch": "1.0"}}))
    others = kd("sweep", "mine.toml", "--merge", ",".join(parts))
    assert others.code == 1
    assert "made by different machines" in others.err
    assert "torch 1.0" in others.err
    made.write_text(json.dumps(record))
    file = Path(parts[1]) / "mine/seed-1/data/description.json"
    content = file.read_text()
    file.write_text(content.replace("gaussians", "gausssians"))
    damaged = kd("sweep", "mine.toml", "--merge", ",".join(parts))
    assert damaged.code == 1
    assert "changed after it was made" in damaged.err
    file.unlink()
    file.write_text(content)
    Path("mine.toml").write_text(SWEEP.replace("[0, 1, 2]", "[0, 1, 3]"))
    plan = kd("sweep", "mine.toml", "--merge", ",".join(parts), "--outputs", "new")
    assert plan.code == 1
    assert "has another plan" in plan.err
    nothing = kd("sweep", "mine.toml", "--merge", "nowhere", "--outputs", "new")
    assert nothing.code == 1
    assert "nowhere has no study mine" in nothing.err
    assert not list(outputs.glob("mine/*/made.json"))
