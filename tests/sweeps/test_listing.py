import json
from pathlib import Path

from harness import Kd
from sweeping import TINY_SWEEP

from kdcli.store import Store

SWEEP = (
    TINY_SWEEP
    + """"students.learning_rate" = [0.001, 1e30]
"teacher.seed" = [0, 1]
"""
)


def test_runs_are_listed_with_how_far_they_are(kd: Kd, outputs: Path) -> None:
    Path("mine.toml").write_text(SWEEP)
    assert kd("sweep", "mine.toml", "--jobs", "1", "--shard", "1/2").code == 1
    listed = kd("runs", "mine", "--json")
    assert listed.code == 0
    runs = {run["name"]: run for run in json.loads(listed.out)["runs"]}
    states = {name: run["state"] for name, run in runs.items()}
    assert states == {
        "learning-rate-0.001_seed-0": "made",
        "learning-rate-0.001_seed-1": "planned",
        "learning-rate-1e-30_seed-0": "failed",
        "learning-rate-1e-30_seed-1": "planned",
    } or sorted(states.values()) == ["failed", "made", "planned", "planned"]
    failed = next(run for run in runs.values() if run["state"] == "failed")
    assert "became non-finite" in failed["error"]
    assert "1 made, 1 failed, 2 planned" in kd("runs", "mine").out
    planned = next(name for name, state in states.items() if state == "planned")
    with Store(outputs).run(f"mine/{planned}").locked():
        assert "1 made, 1 running, 1 failed, 1 planned" in kd("runs", "mine").out
    assert "study mine: 2 runs" in kd("runs").out
    unknown = kd("runs", "mien")
    assert unknown.code == 2
    assert "did you mean mine?" in unknown.err


def test_a_study_is_deleted_as_a_whole_unless_a_process_works_on_it(kd: Kd, outputs: Path) -> None:
    Path("mine.toml").write_text(SWEEP.replace("1e30", "0.01"))
    assert kd("sweep", "mine.toml", "--jobs", "1").code == 0
    assert kd("use", "mine/learning-rate-0.01_seed-1").code == 0
    with Store(outputs).run("mine/learning-rate-0.01_seed-1").locked():
        refused = kd("delete", "mine", "--yes")
    assert refused.code == 1
    assert "a process is working on run mine/learning-rate-0.01_seed-1" in refused.err
    assert kd("delete", "mine/learning-rate-0.01_seed-0", "--yes").code == 0
    assert not (outputs / "mine/learning-rate-0.01_seed-0").exists()
    assert "deleting study mine needs confirmation" in kd("delete", "mine").err
    gone = kd("delete", "mine", "--yes")
    assert gone.code == 0
    assert "deleted study mine" in gone.out
    assert "no run is current now" in gone.out
    assert not (outputs / "mine").exists()
