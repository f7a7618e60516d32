"""Flip bytes of a finished run's files, one at a time, and see whether it is found.

    python benchmarks/flip.py [FLIPS]     every byte of each `meta.json`, and FLIPS random ones (1000) of each
                                          other file that kd reads

The recipe is left out: people edit it, and what says something else is an edit. A flip is found if a check
calls the run's artefacts anything but fresh, or the name of the current run damaged. One that is not found
must be harmless: what kd reads from the file is as it was. Figures and `compare.json` are written only, and
made anew by the next `kd plot` and `kd compare`.
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
    items = [item for one in checked.runs for item in one.artefacts]
    return bool(checked.problem) or not items or any(item.state != "fresh" for item in items)


def meaning(path: Path, store: Store) -> object:
    """Return what kd reads from a file, where a check need not find that it was flipped."""
    if path.name == "meta.json":
        return json.loads(path.read_bytes())
    if path.parent.name == ".resume":  # a state that is not whole is not taken up
        kept = ResumePoint(path).load()
        return None if kept is None else {name: value.tolist() for name, value in kept[1].items()}
    return path.read_bytes()


def flips(path: Path, store: Store, places: list[int], chance: random.Random) -> Counter[str]:
    """Flip a bit in each of these places of a file in turn, and count what came of it."""
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
    """Make a small run, flip the bytes of its files, and sum up."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    chance = random.Random(0)  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["KD_OUTPUTS"] = "outputs"
        Path("small.toml").write_text(RECIPE)
        run("run", "small.toml")
        store = Store()
        place = store.existing_run(None)
        tensors = place.artefact("teacher").load("model")
        KeptTraining(place.resume_point("teacher"), {"records": []}).save(tensors)
        total: Counter[str] = Counter()
        read = sorted([*place.path.rglob("*.safetensors"), *place.path.rglob("meta.json")])
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
