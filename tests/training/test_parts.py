import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest
import torch
from harness import opened
from torch import Tensor

from kdcli.models.mlp import MLP
from kdcli.rng import generator
from kdcli.runs.recipe import Training
from kdcli.training.examples import scaling_of
from kdcli.training.parts import MEMBERS, NUMBERS, Part, Share, shares_of, train_part
from kdcli.workers import Result


@pytest.mark.parametrize("draws", [1, 2, 3, 10])
@pytest.mark.parametrize("seeds", [1, 2, 3, 10, 37])
@pytest.mark.parametrize("sets", [1, 5, 70])
@pytest.mark.parametrize("parameters", [22, 8_000, 80_000, 10**7])
def test_parts_have_every_seed_of_every_draw_once_and_are_neither_few_nor_large(
    draws: int, seeds: int, sets: int, parameters: int
) -> None:
    shares = shares_of(draws, range(100, 100 + seeds), sets, parameters)
    models = [model for share in shares for model in product(share.draws, share.seeds)]
    assert len(models) == draws * seeds
    assert set(models) == set(product(range(draws), range(100, 100 + seeds)))
    assert len(shares) >= min(2, draws * seeds)
    for share in shares:
        assert list(share.draws) == list(range(share.draws[0], share.draws[-1] + 1))  # they follow each other
        assert list(share.seeds) == list(range(share.seeds[0], share.seeds[-1] + 1))
    assert len({len(share.seeds) for share in shares}) == 1 or {len(share.draws) for share in shares} == {1}
    sizes = [len(share.draws) * len(share.seeds) for share in shares]
    assert sizes == sorted(sizes, reverse=True)
    of_draws, of_seeds = ({len(share[axis]) for share in shares} for axis in (0, 1))
    assert max(of_draws) - min(of_draws) <= 1
    assert max(of_seeds) - min(of_seeds) <= 1
    if min(sizes) > seeds or (draws == 1 and min(sizes) > 1):  # with the draw or the seed that is left over
        spare = seeds if draws > 1 else 1
        assert max(sizes) * sets <= 2 * MEMBERS
        assert (max(sizes) - spare) * sets * parameters <= NUMBERS


@pytest.mark.parametrize(
    ("draws", "seeds", "sets", "parameters", "expected"),
    [
        (1, 10, 5, 22, [([0], [0, 1, 2, 3, 4]), ([0], [5, 6, 7, 8, 9])]),
        (1, 10, 7, 8_070, [([0], [0, 1, 2, 3, 4]), ([0], [5, 6, 7, 8, 9])]),
        (10, 2, 5, 22, [([0, 1, 2, 3, 4], [0, 1]), ([5, 6, 7, 8, 9], [0, 1])]),
        (5, 2, 5, 22, [([0, 1, 2], [0, 1]), ([3, 4], [0, 1])]),
        (2, 3, 43, 22, [([0], [0, 1]), ([1], [0, 1]), ([0], [2]), ([1], [2])]),
        (1, 1, 1, 22, [([0], [0])]),
    ],
)
def test_whole_draws_make_up_a_part_unless_there_are_too_few(
    draws: int, seeds: int, sets: int, parameters: int, expected: list[tuple[list[int], list[int]]]
) -> None:
    shares = shares_of(draws, range(seeds), sets, parameters)
    assert [(list(share.draws), list(share.seeds)) for share in shares] == expected


N, N_VAL, DRAWS, SEEDS, SETS = 60, 20, 3, [4, 7], 2
X = torch.randn(150, 2, generator=generator("x", 0))
LABELS = torch.nn.functional.one_hot((X[:, 0] > 0).long(), 2).double()
SOFT = (torch.stack([-X[:, 0], X[:, 1]], 1) / 2).double().softmax(1)


def shared(*, standardise: bool = False, by_seed: bool = False) -> dict[str, Tensor]:
    """Return what all parts of a training of several draws and two sets share.

    Where it is `by_seed`, the second seed is taught the other way round.
    """
    order = torch.stack([torch.randperm(150, generator=generator("draw", draw)) for draw in range(DRAWS)])
    index = {"train": order[:, :N], "val": order[:, N : N + N_VAL], "test": torch.arange(10, 40)[None]}
    tensors = {"x": X, "temperature": torch.tensor([1.0, 4.0]).double().view(2, 1, 1)}
    tensors["label_weight"] = torch.tensor([0.0, 0.25]).double().view(2, 1, 1)
    for split, rows in index.items():
        tensors[f"{split}.index"] = rows
        tensors[f"{split}.target"] = torch.stack([LABELS[rows].mT, SOFT[rows].mT], 1).unsqueeze(1)
        if by_seed:
            target = tensors[f"{split}.target"]
            tensors[f"{split}.target"] = torch.cat([target, target.flip(3)], 1)
        tensors[f"{split}.labels"] = LABELS[rows].mT[:, None, None]
    if standardise:
        tensors["shift"], tensors["scale"] = scaling_of(X, index["train"])
    return tensors


def of_set(tensors: dict[str, Tensor], k: int) -> dict[str, Tensor]:
    """Return what the parts of a training of one set share."""
    alone = {name: t[:, :, k : k + 1] if name.endswith(".target") else t for name, t in tensors.items()}
    return {**alone, **{name: tensors[name][k : k + 1] for name in ("temperature", "label_weight")}}


def part_of(share: Share, folder: Path, only: int | None = None, batch_size: int = 0) -> Part:
    """Return a part of all sets, or of one of them `only`."""
    folder = folder / f"{only}-{list(share.draws)}-{list(share.seeds)}"  # with the states of this training
    return Part(
        model=str(MLP((4,))),
        features=[2],
        n_classes=2,
        draws=list(share.draws),
        seeds=list(share.seeds),
        place=SEEDS.index(share.seeds[0]),
        sets=SETS if only is None else 1,
        role="student",
        training=Training(epochs=30, batch_size=batch_size, learning_rate=0.02),
        loss="kl",
        decay=False,
        device="cpu",
        precision="float32",
        threads=1,
        keep_going=False,
        predicted=["val", "test"],
        point=str(folder / "state"),
        identity={},
    )


def trained(part: Part, tensors: dict[str, Tensor]) -> Result:
    return train_part(part.to_record(), tensors, lambda value: None)


def test_a_part_is_sent_as_json_and_names_its_members(tmp_path: Path) -> None:
    part = part_of(Share([1, 2], [4, 7]), tmp_path)
    assert Part.from_record(json.loads(json.dumps(part.to_record()))) == part
    assert part.members == 8
    assert [part.member(k) for k in range(8)] == [
        (k, seed, draw) for draw in (1, 2) for seed in (4, 7) for k in (0, 1)
    ]


@pytest.mark.parametrize("by_seed", [False, True])
@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("batch_size", [0, 16])
def test_each_member_of_several_draws_is_trained_as_it_would_be_alone(
    tmp_path: Path, batch_size: int, standardise: bool, by_seed: bool
) -> None:
    tensors = shared(standardise=standardise, by_seed=by_seed)
    part = part_of(Share(range(DRAWS), SEEDS), tmp_path, batch_size=batch_size)
    together = trained(part, tensors).tensors
    assert together["logits.val"].shape == (DRAWS * len(SEEDS) * SETS, N_VAL, 2)
    assert together["logits.test"].shape == (DRAWS * len(SEEDS) * SETS, 30, 2)
    for member in range(part.members):
        k, seed, draw = part.member(member)
        single = part_of(Share([draw], [seed]), tmp_path, only=k, batch_size=batch_size)
        alone = trained(single, of_set(tensors, k)).tensors
        assert set(alone) == set(together)
        for name in alone.keys() - {"curve.epochs"}:
            torch.testing.assert_close(together[name][member], alone[name][0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("standardise", [False, True])
def test_a_part_of_some_draws_gives_what_these_get_in_the_whole(tmp_path: Path, standardise: bool) -> None:
    tensors = shared(standardise=standardise)
    whole = trained(part_of(Share(range(DRAWS), SEEDS), tmp_path), tensors).tensors
    later = trained(part_of(Share([1, 2], SEEDS), tmp_path), tensors).tensors
    for name in later.keys() - {"curve.epochs"}:
        torch.testing.assert_close(later[name], whole[name][len(SEEDS) * SETS :], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [0, 16])
def test_each_seed_learns_its_own_target_where_it_has_one(tmp_path: Path, batch_size: int) -> None:
    alike, own = (
        trained(
            part_of(Share(range(DRAWS), SEEDS), tmp_path / name, batch_size=batch_size),
            shared(by_seed=name == "own"),
        )
        .tensors["logits.val"]
        .view(DRAWS, len(SEEDS), SETS, N_VAL, 2)
        for name in ("alike", "own")
    )
    torch.testing.assert_close(alike[:, 0], own[:, 0], rtol=1e-4, atol=1e-5)
    assert (
        float((alike[:, 1].argmax(-1) == own[:, 1].argmax(-1)).double().mean()) < 0.3
    )  # the other way round


def test_members_of_other_draws_start_and_are_shuffled_differently(tmp_path: Path) -> None:
    part = part_of(Share([0, 1], [4]), tmp_path)
    weights = part.build().state_dict()["weights.0"]
    assert torch.equal(weights[0], weights[1])  # the sets of one seed and draw have the same initial weights
    assert not torch.equal(weights[0], weights[2])
    first, second = (torch.randperm(50, generator=order) for order in part.streams("batches"))
    assert not torch.equal(first, second)
    alone = part_of(Share([1], [4]), tmp_path).build().state_dict()["weights.0"]
    assert torch.equal(weights[2:], alone)


PROGRAM = """
import sys
from kdcli.cli.main import main
from kdcli.training import resuming
resuming.SECONDS, resuming.SHARE = 0.05, 1e9
main(sys.argv[1:])
"""


def start(jobs: int, seeds: int, select: str) -> subprocess.Popen[str]:
    """Train some seeds of three sets in a process of its own, with this number of workers.

    Its states are kept every now and then. With twelve students, workers are worth it: there are two parts.
    """
    environment = {**os.environ, "KD_JOBS": str(jobs)}
    command = [sys.executable, "-c", PROGRAM, "distill", "--target", "labels,hard,soft"]
    command += ["--seeds", str(seeds), "--epochs", "9000", "--select", select, "--force"]
    return subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, stdout=subprocess.DEVNULL
    )


def tensors(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes() for path in (run / "students").rglob("*.safetensors")
    }


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")
def test_the_number_of_workers_changes_no_bit_nor_does_going_on_under_another(one_or_two_draws: Path) -> None:
    run, draws = one_or_two_draws, opened(one_or_two_draws).data.draws
    seeds, select = 4 // draws, "last" if draws == 1 else "best"
    made = []
    for jobs in (1, 2):
        with start(jobs, seeds, select) as process:
            assert process.wait() == 0
        made.append(tensors(run))
    assert made[0] == made[1]
    states = [run / f".resume/students-mlp4.{part}" for part in (0, 1)]
    for jobs, others in ((2, 1), (1, 4)):
        for folder in (run / "students").iterdir():
            shutil.rmtree(folder)
        with start(jobs, seeds, select) as process:
            while not (states[0].exists() and (jobs == 1 or states[1].exists())):
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert not list((run / "students").glob("*/meta.json"))
        with start(others, seeds, select) as process:
            assert process.stderr is not None
            told = process.stderr.read()
            assert process.wait() == 0
        assert "resuming at epoch" in told
        assert tensors(run) == made[0]
