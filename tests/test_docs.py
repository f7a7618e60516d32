"""The pages in `docs/` tell the truth: their commands, their sweep file, what comes with kd."""

import re
import tomllib
from pathlib import Path

import pytest
from harness import Kd

from kdcli.runs.studies import STUDIES, Study, filled, study_names
from kdcli.runs.vary import planned
from kdcli.store import Store, StudyFolder

DOCS = Path(__file__).parent.parent / "docs"
SWEEPS = (DOCS / "sweeps.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_commands_and_options_exist(kd: Kd, page: Path) -> None:
    lines = re.findall(r"^kd (.+?)(?: +#.*)?$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert lines
    for line in lines:
        command, *words = line.split()
        help_text = kd(command, "--help").out
        for option in (word for word in words if word.startswith("--")):
            assert option in help_text, line


def test_the_sweep_file_asks_for_as_many_runs_as_it_says() -> None:
    (text,) = re.findall(r"^```toml\n(.+?)^```", SWEEPS, flags=re.MULTILINE | re.DOTALL)
    count = int(re.findall(r"all combinations of these: (\d+) runs", text)[0])
    assert len(planned(filled(tomllib.loads(text), "page"), "page")) == count == 12


def test_every_study_that_comes_with_kd_is_told_and_has_the_runs_that_it_says(tmp_path: Path) -> None:
    assert study_names() == sorted(re.findall(r"^\| `([\w-]+)` \|", SWEEPS, flags=re.MULTILINE))
    for name in study_names():
        said = int(re.findall(r"(\d+) runs", (STUDIES / f"{name}.toml").read_text())[0])
        assert len(Study.planned(StudyFolder(Store(tmp_path), name), name).runs) == said
