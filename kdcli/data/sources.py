"""Files that a dataset is read from: in the user's folder, or downloaded once and kept."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from kdcli.data import Dataset
from kdcli.data.dataset import File
from kdcli.data.idx import MOST, unpacked
from kdcli.errors import KdError

Bar = Callable[[str], AbstractContextManager[Any]]
"""Opens a progress bar for a download: an object with `total`, and with `reset`, `update` and `close`."""

TIMEOUT = 30  # seconds without a byte


def unseen(title: str) -> AbstractContextManager[Any]:
    """Download without a progress bar."""
    return nullcontext(False)


def read_files(dataset: Dataset[Any], folder: Path | None, bar: Bar = unseen) -> dict[str, bytes]:
    """Return the contents of a dataset's files by name, unpacked.

    Raises `KdError` if a file is missing or damaged in the `folder`, or if a download fails.
    """
    if folder is not None:
        return {file.name: _read(folder, file.name) for file in dataset.files}
    return {file.name: _download(file, bar) for file in dataset.files}


def fingerprint(contents: Mapping[str, bytes]) -> str:
    """Return one SHA-256 that identifies these contents."""
    return _joint({name: hashlib.sha256(content).hexdigest() for name, content in contents.items()})


def published(dataset: Dataset[Any]) -> str:
    """Return the fingerprint of the published files."""
    return _joint({file.name: file.sha256 for file in dataset.files})


def _joint(digests: Mapping[str, str]) -> str:
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _read(folder: Path, name: str) -> bytes:
    """Read a file of the folder, gzipped or not, under any spelling of its name.

    Raises `KdError` if several spellings exist and their contents differ.
    """
    names = [f"{spelling}{end}" for spelling in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")]
    paths = [folder / spelling for spelling in names if os.path.lexists(folder / spelling)]
    files = [path for path in paths if os.path.isfile(path)]
    if not files:
        what = (
            f"{folder} has no {name}, gzipped or not"
            if os.path.isdir(folder)
            else f"{folder} is not a folder"
        )
        if paths:
            what = f"{paths[0]} is not a file"
        raise KdError(what, "--source names the folder with the four files of the dataset")
    content = _content(files[0])
    for other in files[1:]:
        if _content(other) != content:
            raise KdError(
                f"{files[0]} and {other} have different contents, and either could be the {name} to read",
                "move the wrong one to another folder",
            )
    return content


def _content(path: Path) -> bytes:
    """Return the content of a file, unpacked; raises `KdError` if it is damaged or cannot be read."""
    try:
        if path.stat().st_size > MOST:
            raise ValueError(f"it has more than {MOST:,} bytes")
        return unpacked(path.read_bytes())
    except OSError as error:
        raise KdError(f"cannot read {path}: {error.strerror}", "check that it may be read") from None
    except ValueError as error:
        raise KdError(f"{path} is damaged: {error}", "fetch it again, or name another --source") from None


def _download(file: File, bar: Bar) -> bytes:
    """Return a file from the cache, or from the first mirror that has it as it was published."""
    import pooch
    import requests

    kept = Path(pooch.os_cache("kdcli")) / file.name
    problems = []
    try:
        if kept.is_file() and _is(content := kept.read_bytes(), file):
            return content
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=kept.parent) as folder:
            packed, plain = Path(folder) / "packed", Path(folder) / "plain"
            for url in file.mirrors:
                try:
                    with bar(file.name) as shown:
                        pooch.HTTPDownloader(progressbar=shown, timeout=TIMEOUT)(url, str(packed), None)
                    content = unpacked(packed.read_bytes())
                    if not _is(content, file):
                        raise ValueError("its content is not what was published (SHA-256 differs)")
                except (requests.RequestException, ValueError) as error:
                    problems.append(f"{url}: {_reason(error)}")
                else:
                    plain.write_bytes(content)
                    os.replace(plain, kept)
                    return content
    except OSError as error:
        raise KdError(
            f"cannot keep the download in {kept.parent}: {error.strerror}",
            "make room there, or name a folder with the files with --source DIR",
        ) from None
    raise KdError(
        f"cannot download {file.name}:" + "".join(f"\n  {problem}" for problem in problems),
        "if you have the files, name their folder with --source DIR",
    )


def _is(content: bytes, file: File) -> bool:
    return hashlib.sha256(content).hexdigest() == file.sha256


def _reason(error: Exception) -> str:
    """Return what went wrong in one line; network errors wrap several others."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "it was cut off"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "the server does not answer"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)
