"""A disk that is full, files that may not grow, and places where nothing can be written."""

import hashlib
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Kd

from kdcli.store import files

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from kdcli.cli.main import main
main(sys.argv[2:])
"""


def digests(folder: Path) -> dict[str, str]:
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def limited(size: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run kd in a process whose files cannot become larger than this."""
    command = [sys.executable, "-c", LIMITED, str(size), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no such limit here")
@pytest.mark.parametrize("size", [100, 2000])
def test_a_file_size_limit_leaves_the_old_artefact(tiny: Path, size: int) -> None:
    before = digests(tiny)
    done = limited(size, "train-teacher", "--epochs", "7", "--model", "mlp:90", "--force")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot use" in done.stderr
    assert "File too large" in done.stderr
    assert digests(tiny) == before


@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5])
def test_a_full_disk_leaves_the_old_artefact(
    kd: Kd, tiny: Path, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(tiny)
    count = 0

    def full(write: Callable[..., None], path_at: int) -> Callable[..., None]:
        def written(*arguments: Any) -> None:
            nonlocal count
            count += 1
            if count >= nth:
                arguments[path_at].write_bytes(b"half")
                raise OSError(28, "No space left on device")
            write(*arguments)

        return written

    monkeypatch.setattr(files, "write_synced", full(files.write_synced, 0))
    monkeypatch.setattr("kdcli.store.artefact.write_synced", files.write_synced)
    monkeypatch.setattr("kdcli.store.artefact.write_tensors", full(files.write_tensors, 1))
    outcome = kd("train-teacher", "--epochs", "7", "--force")
    assert outcome.code == 1
    assert "No space left on device" in outcome.err
    kept = {name: digest for name, digest in digests(tiny).items() if not name.startswith(".resume")}
    assert kept == before
    monkeypatch.undo()


def test_a_file_where_a_folder_should_be(kd: Kd, tiny: Path, tmp_path: Path) -> None:
    (tiny / "figures").rename(tiny / "drawn")
    (tiny / "figures").write_text("in the way")
    outcome = kd("plot")
    assert outcome.code == 1
    assert str(tiny / "figures") in outcome.err
    (tmp_path / "place").write_text("in the way")
    outcome = kd("gen-data", "--outputs", "place")
    assert outcome.code == 1
    assert "place" in outcome.err
    assert (tmp_path / "place").read_text() == "in the way"
