"""Start many processes at once, first on one run and then on a run each, and check what they leave.

    python benchmarks/collide.py [PROCESSES]     by default 20

All processes must succeed; a check must find every artefact fresh, and nothing left over.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = """
[data]
dataset = "gaussians"
n_samples = 200
n_test = 400
[teacher]
model = "mlp:8"
epochs = 50
[students]
models = ["mlp:4"]
targets = ["labels", "soft"]
seeds = 2
epochs = 50
"""


def collide(names: list[str], folder: Path) -> bool:
    """Start a process for each of these runs at once; returns whether all succeeded."""
    command = [sys.executable, "-m", "kdcli"]
    begun = time.monotonic()
    started = [
        subprocess.Popen(  # noqa: S603
            [*command, "run", "small.toml", "--run", name],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    told = [process.communicate()[1] for process in started]
    codes = [process.returncode for process in started]
    for code, text in zip(codes, told, strict=True):
        if code:
            print(text)
    waited = sum("waiting for it to finish" in text for text in told)
    done = subprocess.run([*command, "check", "--json"], cwd=folder, capture_output=True, text=True)  # noqa: S603
    found = json.loads(done.stdout)
    states = [item["state"] for run in found["runs"] for item in run["artefacts"]]
    left = (
        [path for run in found["runs"] for path in run["leftovers"]] + found["leftovers"] + found["problems"]
    )
    well = not any(codes) and set(states) == {"fresh"} and not left
    print(
        f"{len(names)} processes on {len(set(names))} runs: {codes.count(0)} ended well, {waited} waited, "
        f"{states.count('fresh')} of {len(states)} artefacts fresh, {len(left)} leftovers or problems, "
        f"{time.monotonic() - begun:.0f} s"
    )
    return well


def main() -> None:
    """Let processes collide, first on one run and then on a run each."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    well = []
    for names in (["one"] * count, [f"run{k}" for k in range(count)]):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["KD_OUTPUTS"] = str(Path(folder) / "outputs")
            (Path(folder) / "small.toml").write_text(RECIPE)
            well.append(collide(names, Path(folder)))
    if not all(well):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
