import json
from pathlib import Path

from harness import Kd
from sweeping import SEEDS, TEMPERATURES, made


def test_a_study_has_one_report_with_its_figures(kd: Kd, outputs: Path) -> None:
    made(outputs, SEEDS + TEMPERATURES)
    document = json.loads(kd("report", "many", "--json").out)
    path = Path(document["path"])
    assert path == outputs / "many" / "report.html"
    assert document["size"] == path.stat().st_size
    assert document["figures"] == ["study-lines", "study-map"]
    text = path.read_text(encoding="utf-8")
    assert "A study of knowledge distillation: 4 runs that differ in seed and temperatures." in text
    assert all(f'aria-labelledby="{name}-title"' in text for name in document["figures"])


def test_a_report_is_no_run_of_the_study(kd: Kd, outputs: Path) -> None:
    made(outputs)
    before = json.loads(kd("runs", "many", "--json").out)
    assert kd("report", "many").code == 0
    assert json.loads(kd("runs", "many", "--json").out) == before
    assert kd("check").code == 0
