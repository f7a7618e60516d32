from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def go_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Go to an empty folder with outputs of its own, as somebody who has a report and nothing else."""

    def go() -> Path:
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setenv("KD_OUTPUTS", str(folder / "outputs"))
        return folder

    return go
