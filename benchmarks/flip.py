"""Flip bytes of a finished run's files, one at a time, and see whether kd finds the damage.

    python benchmarks/flip.py [FLIPS]     every byte of each `meta.json`, and FLIPS random ones (1000) of each
                                          other file that kd reads

The recipe is left out: users edit it, so any change counts as an edit. A flip is found if a check reports any
artefact of the run as not fresh, or the name of the current run as damaged. A flip that is not found must be
harmless: kd reads the same from the file as before. A record may have a different value that a stage might
have written, as after an edit, but never different files or parents. Figures and `compare.json` are never
read, and the next `kd plot` and `kd compare` write them again.
"""

import json
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from kdcli.cli.main import main as kd
from kdcli.stages.check import check
from kdcli.store import ResumePoint, Store
from kdcli.training.resuming import KeptTraining

RECIPE = """
[data]
dataset = "gaussians"
n_samples = 200
n_test = 100
[teacher]
model = "mlp:8"
epochs = 20
[students]
models = ["mlp:4", "tree"]
targets = ["labels", "soft"]
seeds = 2
epochs = 20
"""


def run(*words: str) -> None:
    """Run kd in this process; raises SystemExit if it fails."""
    try:
        kd([*words, "--quiet"])
    except SystemExit as stopped:
        if stopped.code:
            raise


def found(store: Store) -> bool:
    """Whether a check finds anything at all."""
    checked = check(store)
    items = [item for run in checked.runs for item in run.artefacts]
    return bool(checked.problem) or not items or any(item.state != "fresh" for item in items)


def meaning(path: Path, store: Store) -> object:
    """Return what kd reads from a file, for flips that a check need not find."""
    if path.name == "meta.json":
        record = json.loads(path.read_bytes())
        return {key: record.get(key) for key in ("format", "files", "digest", "parents")}
    if path.parent.name == ".resume":  # kd does not resume from a damaged state
        kept = ResumePoint(path).load()
        return None if kept is None else {name: value.tolist() for name, value in kept[1].items()}
    return path.read_bytes()


def flips(path: Path, store: Store, places: list[int], chance: random.Random) -> Counter[str]:
    """Flip a bit at each of these places of a file in turn, and count the outcomes."""
    whole, before = path.read_bytes(), meaning(path, store)
    counts: Counter[str] = Counter()
    for place in places:
        path.write_bytes(
            whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :]
        )
        if path.parent.name == ".resume":
            kind = "found" if meaning(path, store) is None else "MISSED"
        elif found(store):
            kind = "found"
        else:
            kind = "harmless" if meaning(path, store) == before else "MISSED"
        counts[kind] += 1
    path.write_bytes(whole)
    return counts


def main() -> None:
    """Make a small run, flip the bytes of its files, and print a summary."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    chance = random.Random(0)  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["KD_OUTPUTS"] = "outputs"
        Path("small.toml").write_text(RECIPE)
        run("run", "small.toml")
        store = Store()
        place = store.existing_run(None)
        teacher = place.artefact("teacher")
        tensors = teacher.load("model", teacher.meta())
        KeptTraining(place.resume_point("teacher"), {"records": []}).save(tensors)
        total: Counter[str] = Counter()
        read = sorted(path for meta in place.path.rglob("meta.json") for path in meta.parent.iterdir())
        resumed = sorted((place.path / ".resume").iterdir())
        for path in [*read, *resumed, store.root / "current"]:
            size = path.stat().st_size
            every = path.name == "meta.json" or size <= count
            places = list(range(size)) if every else [chance.randrange(size) for _ in range(count)]
            counts = flips(path, store, places, chance)
            total += counts
            print(f"{path.relative_to(store.root)}: {len(places)} flips, {dict(counts)}", flush=True)
        print(f"{total.total()} flips: {dict(total)}")
        if total["MISSED"]:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
