import functools
import gzip
import hashlib
import http.server
import io
import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pooch
import pytest
import requests
from harness import Kd, compared, idx_files, small_mnist, write_files
from rich.console import Console

from kdcli.data import Dataset, find_dataset
from kdcli.data.dataset import File
from kdcli.data.sources import fingerprint, published, read_files
from kdcli.errors import KdError
from kdcli.report import screen

SMALL = small_mnist()


class Server(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        file = Path(self.translate_path(self.path))
        if file.is_file() and file.name.startswith("cut-"):
            content = file.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content) + 1000))
            self.end_headers()
            self.wfile.write(content)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on localhost that serves a folder of files, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = write_files(tmp_path / "served", {"good": b"the content", "corrupt": b"another content"})
    (folder / "cut-off.gz").write_bytes(gzip.compress(b"the content"))
    (folder / "half.gz").write_bytes(gzip.compress(b"the content")[:-6])
    handler = functools.partial(Server, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def one_file(*urls: str) -> Dataset[Any]:
    digest = hashlib.sha256(b"the content").hexdigest()
    return replace(find_dataset("mnist"), files=(File("file", digest, urls),))


def kept(tmp_path: Path) -> list[str]:
    return sorted(p.name for p in (tmp_path / "cache").rglob("*") if p.is_file())


def test_a_download_is_unpacked_checked_and_kept(address: str, tmp_path: Path) -> None:
    titles = []

    def bar(title: str) -> AbstractContextManager[Any]:
        titles.append(title)
        return nullcontext(False)

    assert read_files(one_file(f"{address}good.gz"), None, bar) == {"file": b"the content"}
    assert titles == ["file"]
    assert kept(tmp_path) == ["file"]
    # From the cache, without a server.
    assert read_files(one_file("http://127.0.0.1:9/absent.gz"), None, bar) == {"file": b"the content"}
    assert titles == ["file"]


def test_a_kept_file_that_is_damaged_is_downloaded_again(address: str, tmp_path: Path) -> None:
    read_files(one_file(f"{address}good.gz"), None)
    (file,) = (p for p in (tmp_path / "cache").rglob("*") if p.is_file())
    file.write_bytes(b"the c")
    assert read_files(one_file(f"{address}good.gz"), None) == {"file": b"the content"}
    assert file.read_bytes() == b"the content"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("corrupt.gz", "SHA-256 differs"),
        ("half.gz", "cut short"),
        ("cut-off.gz", "it was cut off"),
        ("absent.gz", "the server answered 404"),
    ],
)
def test_a_bad_download_is_kept_away_from_the_cache(
    address: str, tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(KdError, match=f"{name}: .*{words}") as problem:
        read_files(one_file(address + name), None)
    assert "--source" in problem.value.hint
    assert kept(tmp_path) == []
    # The next mirror is asked.
    assert read_files(one_file(address + name, f"{address}good.gz"), None) == {"file": b"the content"}


def test_no_connection(address: str) -> None:
    with pytest.raises(KdError, match="no connection") as problem:
        read_files(one_file("http://127.0.0.1:9/file.gz", "http://127.0.0.1:9/again.gz"), None)
    assert problem.value.message.count("no connection") == 2
    assert "--source" in problem.value.hint


@pytest.mark.parametrize("packed", [True, False])
def test_a_folder(tmp_path: Path, packed: bool) -> None:
    folder = write_files(tmp_path / "mnist", SMALL, packed=packed)
    assert read_files(find_dataset("mnist"), folder) == SMALL


@pytest.mark.parametrize("packed", [True, False])
def test_the_names_that_some_archives_have(tmp_path: Path, packed: bool) -> None:
    files = {name.replace("-idx", ".idx"): content for name, content in SMALL.items()}
    folder = write_files(tmp_path / "mnist", files, packed=packed)
    assert read_files(find_dataset("mnist"), folder) == SMALL


def test_what_a_folder_lacks(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "mnist", SMALL)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(KdError, match="has no t10k-labels-idx1-ubyte"):
        read_files(find_dataset("mnist"), folder)
    with pytest.raises(KdError, match="is not a folder"):
        read_files(find_dataset("mnist"), tmp_path / "nowhere")


@pytest.mark.parametrize("other", ["train-labels-idx1-ubyte.gz", "train-labels.idx1-ubyte"])
def test_two_files_for_one_name(tmp_path: Path, other: str) -> None:
    folder = write_files(tmp_path / "mnist", SMALL, packed=False)
    same = SMALL["train-labels-idx1-ubyte"]
    (folder / other).write_bytes(gzip.compress(same) if other.endswith(".gz") else same)
    assert read_files(find_dataset("mnist"), folder) == SMALL
    (folder / other).write_bytes(SMALL["t10k-labels-idx1-ubyte"])
    with pytest.raises(KdError, match="have different contents") as problem:
        read_files(find_dataset("mnist"), folder)
    assert str(folder / "train-labels-idx1-ubyte") in problem.value.message
    assert str(folder / other) in problem.value.message


def test_a_folder_of_a_file_s_name(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "mnist", SMALL, packed=False)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    (folder / "t10k-labels-idx1-ubyte").mkdir()
    with pytest.raises(KdError, match="t10k-labels-idx1-ubyte is not a file"):
        read_files(find_dataset("mnist"), folder)


def test_fingerprints_tell_contents_apart() -> None:
    other = {**SMALL, "t10k-labels-idx1-ubyte": b"x"}
    assert len({fingerprint(SMALL), fingerprint(other), published(find_dataset("mnist"))}) == 3


def test_gen_data_reads_a_source_and_keeps_to_it(kd: Kd, tmp_path: Path, outputs: Path) -> None:
    folder = write_files(tmp_path / "mnist", SMALL)
    asked = ("gen-data", "mnist", "--n-val", "50")
    made = json.loads(kd(*asked, "--source", str(folder), "--json").out)
    assert (made["n_train"], made["n_val"], made["n_test"]) == (150, 50, 60)
    assert made["bayes"] is None
    assert "up to date" in kd(*asked, "--source", str(folder)).out
    assert "up to date" in kd("gen-data", "mnist").out  # without a source, existing data are accepted
    moved = folder.rename(tmp_path / "moved")
    assert "up to date" in kd("gen-data", "mnist", "--source", str(moved)).out  # the same content
    before = (outputs / "mnist/data/meta.json").read_bytes()
    again = kd("gen-data", "mnist", "--n-val", "40", "--force")  # not from a download under their name
    assert again.code == 1
    assert "made from other files" in again.err
    assert "--source" in again.err
    swapped = {**SMALL, "t10k-labels-idx1-ubyte": SMALL["t10k-images-idx3-ubyte"]}
    other = write_files(tmp_path / "other", swapped)
    refused = kd("gen-data", "mnist", "--source", str(other))
    assert refused.code == 1
    assert "content" in refused.err
    wrong = kd("gen-data", "mnist", "--source", str(other), "--force")
    assert wrong.code == 1
    assert "t10k-labels-idx1-ubyte is not what it should be" in wrong.err
    assert (outputs / "mnist/data/meta.json").read_bytes() == before


LETTERS = """
[data]
dataset = "mnist"
n_val = 130

[teacher]
model = "mlp:8"
epochs = 1

[students]
models = ["tree"]
targets = ["labels", "hard"]
seeds = 2
"""


def test_files_that_are_not_the_published_ones_are_named_as_such(
    kd: Kd, tmp_path: Path, outputs: Path
) -> None:
    folder = write_files(tmp_path / "files", idx_files(26, (20, 24), first=1))
    Path("letters.toml").write_text(LETTERS)
    made = kd("run", "letters.toml", "--source", str(folder))
    assert made.code == 0, made.err
    assert (
        "run letters: other IDX files, 26 classes; 390 training, 130 validation and 156 test examples"
        in made.out
    )
    assert "letters (other IDX files): 2 seeds, 156 test examples" in made.out
    assert "other IDX files" in kd("show").out
    (listed,) = json.loads(kd("runs", "--json").out)["runs"]
    assert listed["dataset"] == "other IDX files"
    described = json.loads((outputs / "letters/data/description.json").read_text())
    assert (described["name"], described["own_files"]) == ("other IDX files", True)
    again = json.loads(kd("gen-data", "--run", "letters", "--json").out)
    assert (again["dataset"], again["n_classes"], again["features"]) == ("other IDX files", 26, [20, 24])
    dataset = compared(kd)["dataset"]
    assert (dataset["name"], dataset["n_classes"]) == ("other IDX files", 26)
    assert again["classes"] == dataset["classes"] == [str(k) for k in range(1, 27)]
    assert kd("plot", "dark-knowledge", "--format", "svg").code == 0
    outcome = kd("distill", "--target", "bayes")
    assert "the exact posterior, which is unknown for other IDX files" in outcome.err
    # To make the data again, or other data, the files are needed.
    outcome = kd("train-teacher", "--epochs", "2")
    assert "`kd gen-data mnist --source FOLDER --run NAME`" in outcome.err
    (outputs / "letters/data/tensors.safetensors").write_bytes(b"")
    again = "`kd gen-data --source FOLDER --run letters`"
    assert all(again in "".join((o.out, o.err)) for o in (kd("check"), kd("compare")))


def test_a_source_for_a_dataset_that_has_none(kd: Kd, tmp_path: Path) -> None:
    outcome = kd("gen-data", "digits", "--source", str(tmp_path))
    assert outcome.code == 2
    assert "read from files: mnist" in outcome.err


def test_a_cache_that_cannot_be_written_is_not_the_fault_of_the_mirror(address: str, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/kdcli").write_text("a file where a folder should be")
    with pytest.raises(KdError, match="cannot keep the download in") as problem:
        read_files(one_file(f"{address}good.gz"), None)
    assert "--source" in problem.value.hint


def test_the_progress_bar_is_told_how_much_has_arrived(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(
        screen, "console", lambda **options: Console(file=terminal, force_terminal=True, width=100)
    )
    read_files(one_file(f"{address}good.gz"), None, screen.Screen().download)
    size = len(gzip.compress(b"the content"))
    assert "downloading file" in terminal.getvalue()
    assert f"{size}/{size} bytes" in terminal.getvalue()


def test_offline_the_error_names_the_source(
    kd: Kd, address: str, outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*arguments: object, **options: object) -> None:
        raise requests.ConnectionError

    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **options: offline)
    outcome = kd("gen-data", "mnist")
    assert outcome.code == 1
    assert "no connection" in outcome.err
    assert "--source DIR" in outcome.err
    assert not outputs.exists()
