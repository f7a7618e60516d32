"""Kill kd at random moments, run it again, and compare its results, bit for bit.

    python benchmarks/kill.py random [KILLS]     SIGKILL at random moments of `kd run gaussians` and of
                                                 `kd train-teacher` on digits
    python benchmarks/kill.py each [EVERY]       die at each write, flush and rename of a small run in turn
                                                 (or at every EVERYth)

Training states are saved every fifth of a second here, so that there is something to resume from. Prints a
line for each kill, and in the end the number of runs whose tensors are those of an uninterrupted run, and the
number of damaged artefacts.
"""

import hashlib
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

# Which a process that is forked to run kd need not import again.
LIBRARIES = (
    "kdcli.cli.main",
    "kdcli.stages.run",
    "matplotlib.figure",
    "sklearn.tree",
    "scipy.stats",
    "tomli_w",
)

KD = """
import sys
from kdcli.training import resuming
resuming.SECONDS, resuming.SHARE = {seconds}, 1.0
{prepare}
from kdcli.cli.main import main
main(sys.argv[1:])
"""

# Counts what reaches the disk, and dies instead of the Nth: after the half of it, where it is a write.
DIE = """
import os, pathlib, signal
left = [{nth}]
def dying(call, half=None):
    def wrapped(*arguments, **options):
        left[0] -= 1
        if left[0] == 0:
            if half:
                half(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return wrapped
from kdcli.store import files, artefact
def half(path, *content):
    path.write_bytes(content[-1][: len(content[-1]) // 2])
files.write_synced = dying(files.write_synced, half)
artefact.write_synced = files.write_synced
def half_of_tensors(tensors, path):
    files.write_tensors(tensors, path)
    os.truncate(path, path.stat().st_size // 2)
artefact.write_tensors = dying(files.write_tensors, half_of_tensors)
os.fsync = dying(os.fsync)
os.replace = dying(os.replace)
pathlib.Path.rename = dying(pathlib.Path.rename)
files.shutil.rmtree = dying(files.shutil.rmtree)
"""

SMALL = """
[data]
dataset = "gaussians"
n_samples = 200
n_test = 400
[teacher]
model = "mlp:8"
epochs = 300
learning_rate = 0.02
[students]
models = ["mlp:4", "tree"]
targets = ["labels", "hard", "soft"]
seeds = 2
epochs = 300
learning_rate = 0.02
"""


def start(outputs: Path, words: list[str]) -> subprocess.Popen[bytes]:
    """Start kd in a process of its own."""
    script = KD.format(prepare="", seconds=0.2)
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", script, *words],
        env={**os.environ, "KD_OUTPUTS": str(outputs)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(outputs: Path, words: list[str]) -> float:
    """Run kd until it finishes; returns the seconds it took."""
    begun = time.monotonic()
    process = start(outputs, words)
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"kd {' '.join(words)} failed:\n{errors.decode()}")
    return time.monotonic() - begun


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tensors(outputs: Path) -> dict[str, str]:
    """Return the digest of every finished tensor file."""
    files = sorted(outputs.rglob("*.safetensors"))
    return {str(p.relative_to(outputs)): digest(p) for p in files}


def damaged(outputs: Path) -> int:
    """Count the artefacts with a file that does not match their `meta.json`, and leftover files."""
    count = sum(1 for path in outputs.rglob(".*") if path.name != ".locks")
    for path in outputs.rglob("meta.json"):
        files = json.loads(path.read_text())["files"]
        found = {p.name: digest(p) for p in path.parent.iterdir() if p != path}
        count += found != files
    return count


def at_random(kills: int, words: list[str], prepared: Path | None = None) -> Iterator[bool]:
    """Kill `kd` this many times in all, at random moments, and run it again until it finishes."""
    chance = random.Random(0)  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def fresh(name: str) -> Path:
            outputs = root / name
            shutil.rmtree(outputs, ignore_errors=True)
            if prepared:
                shutil.copytree(prepared, outputs)
            return outputs

        whole = fresh("whole")
        seconds = finish(whole, words)
        expected = tensors(whole)
        done = 0
        while done < kills:
            outputs = fresh("cut")
            deaths = []
            while done < kills:
                process = start(outputs, words)
                try:
                    process.wait(chance.uniform(0, 1.1 * seconds))
                    break
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.communicate()
                    done += 1
                    deaths.append(len(list(outputs.rglob("*.safetensors"))))
            finish(outputs, words)
            same, bad = tensors(outputs) == expected, damaged(outputs)
            print(f"killed at {deaths} finished files: same {same}, damaged {bad}", flush=True)
            for _ in deaths:
                yield same and not bad


def forked(outputs: Path, words: list[str], prepare: str = "") -> int:
    """Run kd until it finishes or dies, in a fork of this process, which has its libraries; 0 is success."""
    child = os.fork()
    if child == 0:
        os.environ["KD_OUTPUTS"] = str(outputs)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        sys.argv[1:] = words
        try:
            exec(KD.format(prepare=prepare, seconds=0.05), {})  # noqa: S102
        except SystemExit as stopped:
            os._exit(int(stopped.code or 0))
        except BaseException:
            os._exit(99)
    return os.waitpid(child, 0)[1]


def at_each(every: int) -> Iterator[bool]:
    """Die at each write, flush, rename and removal of a small run in turn, and run it again."""
    for library in LIBRARIES:
        importlib.import_module(library)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "small.toml").write_text(SMALL)
        words = ["run", str(root / "small.toml"), "--force"]
        if forked(root / "whole", words):
            raise SystemExit("kd failed")
        expected = tensors(root / "whole")
        nth = 1
        while True:
            outputs = root / "cut"
            shutil.rmtree(outputs, ignore_errors=True)
            if forked(outputs, words, DIE.format(nth=nth)) == 0:
                return
            ended = forked(outputs, words) == 0
            same, bad = tensors(outputs) == expected, damaged(outputs)
            print(f"died at {nth}: ended {ended}, same {same}, damaged {bad}", flush=True)
            yield ended and same and not bad
            nth += every


def main() -> None:
    """Run the chosen kind of test, and print a summary."""
    kind, number = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    if kind == "each":
        results = list(at_each(number or 1))
    else:
        kills = number or 100
        results = list(at_random(kills // 2, ["run", "gaussians"]))
        with tempfile.TemporaryDirectory() as folder:
            prepared = Path(folder) / "digits"
            finish(prepared, ["gen-data", "digits"])
            results += at_random(kills - kills // 2, ["train-teacher"], prepared)
    print(f"after {sum(results)} of {len(results)} kills the bits were the same and nothing damaged")
    if not all(results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
