"""The cost of not losing anything: the share of `kd run` that digests, flushes and kept states take.

python benchmarks/care.py [RECIPE]     by default gaussians
"""

import hashlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kdcli.cli.main import main as kd
from kdcli.store import Run, artefact, resume

spent: Counter[str] = Counter()
calls: Counter[str] = Counter()


def timed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function so that the time of its calls is added up."""

    def wrapped(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*arguments, **options)
        finally:
            spent[name] += time.perf_counter() - start
            calls[name] += 1

    return wrapped


def main() -> None:
    """Run a recipe in this process, and print the time of each part."""
    words = ["run", *(sys.argv[1:] or ["gaussians"]), "--quiet"]
    os.fsync = timed("flushes", os.fsync)
    # A digest of bytes in memory is computed when the object is created.
    artefact.hashlib.sha256 = timed("digests", hashlib.sha256)
    resume.ResumePoint.save = timed("kept states", resume.ResumePoint.save)  # type: ignore[method-assign]
    artefact.Artefact.meta = timed("records read", artefact.Artefact.meta)  # type: ignore[method-assign]
    locked = Run.locked

    @contextmanager
    def timed_lock(*arguments: Any, **options: Any) -> Iterator[list[str]]:
        lock = locked(*arguments, **options)
        cleared = timed("locks", lock.__enter__)()
        try:
            yield cleared
        finally:
            timed("locks", lock.__exit__)(None, None, None)

    Run.locked = timed_lock  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KD_OUTPUTS"] = folder
        start = time.perf_counter()
        try:
            kd(words)
        except SystemExit as stopped:
            if stopped.code:
                raise
        whole = time.perf_counter() - start
    for name, seconds in spent.items():
        print(f"{name:<14}{calls[name]:>6} times  {seconds:8.3f} s")
    total = sum(spent.values())
    print(f"{total:.3f} s of {whole:.2f} s: {total / whole:.1%} (some counted twice: a kept state has both)")


if __name__ == "__main__":
    main()
