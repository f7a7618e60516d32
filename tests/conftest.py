"""Fixtures shared by all tests: an empty outputs folder, kd in this process, and one tiny finished run."""

import os
import shutil

os.environ["OMP_NUM_THREADS"] = "1"  # before PyTorch is imported: tests run side by side
os.environ["KD_JOBS"] = "1"

from pathlib import Path

import pytest
from harness import TINY, TWO_DRAWS, Kd, Outcome, finished

from kdcli.cli.main import main

os.environ.pop("KD_RUN", None)  # which would name the run of every test


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty outputs folder, in an empty working folder, as the only one that kd knows of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KD_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path / "outputs"


@pytest.fixture
def kd(capsys: pytest.CaptureFixture[str]) -> Kd:
    """Run a kd command line in this process."""

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        out, err = capsys.readouterr()
        code = stopped.value.code
        assert isinstance(code, int)
        return Outcome(code, out, err)

    return call


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An outputs folder with the finished run `tiny`; copy it before changing it."""
    return finished(TINY, tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny(tiny_run: Path, outputs: Path) -> Path:
    """A copy of the finished run `tiny` as the current run; returns its folder."""
    shutil.copytree(tiny_run, outputs)
    return outputs / "tiny"


@pytest.fixture(scope="session")
def two_draws_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An outputs folder with the run `tiny` of two draws, finished; copy it before changing it."""
    return finished(TWO_DRAWS, tmp_path_factory.mktemp("two_draws"))


@pytest.fixture
def two_draws(two_draws_run: Path, outputs: Path) -> Path:
    """A copy of the finished run `tiny` of two draws as the current run; returns its folder."""
    shutil.copytree(two_draws_run, outputs)
    return outputs / "tiny"


@pytest.fixture(params=["tiny", "two_draws"])
def one_or_two_draws(request: pytest.FixtureRequest) -> Path:
    """The run of `tiny`, and then that of `two_draws`: a test that asks for it is done with either."""
    folder: Path = request.getfixturevalue(request.param)
    return folder
