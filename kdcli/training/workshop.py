"""The workshop where families train their models: networks by gradients, in worker processes."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.functional import pad

from kdcli import workers
from kdcli.errors import KdError
from kdcli.losses import Objective
from kdcli.models.family import Fitted, History, Model, Teaching
from kdcli.models.network import Network
from kdcli.progress import Report, Watch
from kdcli.runs.recipe import Training
from kdcli.settings import rules
from kdcli.training.devices import LARGE, choose_device, precision_for
from kdcli.training.examples import scaling_of
from kdcli.training.hearing import Hearing
from kdcli.training.loop import steps_in_epoch
from kdcli.training.parts import Part, Share, shares_of, train_part
from kdcli.training.resuming import ResumePoints
from kdcli.workers import Result

WORTH_A_FORK = 10**8  # parameters times examples times epochs: some 20 ms of work


class NotFiniteError(KdError):
    """Losses or outputs of some members became non-finite; `everyone` says whether those of all did."""

    def __init__(self, message: str, hint: str, *, everyone: bool) -> None:
        super().__init__(message, hint)
        self.everyone = everyone


@dataclass(frozen=True)
class Computation:
    """Options of training that teachers have and students do not.

    `device` and `precision` are for matrix products; "auto" chooses them for the hardware. `schedule` is the
    learning-rate schedule.
    """

    device: str = "cpu"
    precision: str = "float32"
    schedule: str = "constant"


@dataclass(frozen=True)
class TrainingWorkshop:
    """Trains the models of one call of a command; a `Workshop` of the families.

    `title` is the title of the progress display that `open_display` opens; `name_member` names the model of a
    set, a seed and a draw for a person. `points` save the state of the training with this `identity`. Seeds
    with non-finite losses or outputs raise `NotFiniteError`, unless `keep_going` drops them; none can be
    dropped if `all_needed` for an ensemble.
    """

    training: Training
    title: str
    name_member: Callable[[int, int, int], str]
    open_display: Watch
    points: ResumePoints
    identity: Mapping[str, Any]
    computation: Computation = Computation()
    keep_going: bool = False
    all_needed: bool = False

    def component(self, number: int, model: Model) -> Self:
        """Return the workshop for the members of this model in an ensemble of several models.

        Their training saves its states separately from the other models.
        """
        return replace(
            self,
            name_member=lambda k, seed, draw: (
                f"{model} with seed {seed} in {self.name_member(k, seed, draw)}"
            ),
            points=ResumePoints(self.points.run, f"{self.points.name}.{number}"),
            identity={**self.identity, "component": number},
            all_needed=True,
        )

    def watch(self, total: int, unit: str, steps: int = 1) -> AbstractContextManager[Report]:
        """Open a progress display for `total` units of `steps` steps each."""
        return self.open_display(self.title, total, unit, steps)

    def by_gradients(self, model: Network, teaching: Teaching) -> list[Fitted]:
        """Train networks of one shape as one stack, for each draw and seed with a member in every set."""
        start = time.perf_counter()
        parts = self._parts(model, teaching)
        work = model.parameters(teaching.features, teaching.n_classes) * self.training.epochs
        work *= sum(part.members for part in parts) * teaching.n_train
        apart = work >= WORTH_A_FORK and parts[0].device == "cpu"
        steps = steps_in_epoch(teaching.n_train, self.training.batch_size)
        with self.watch(self.training.epochs, "epoch", steps) as report:
            heard = Hearing(report, [part.members for part in parts])
            tasks = [part.to_record() for part in parts]
            results = workers.do(
                "train",
                train_part,
                tasks,
                self._shared(teaching),
                heard,
                lambda k, result: self._stop_if_diverged(parts, k, result),
                apart=apart,
            )
        used = {name: str(getattr(parts[0], name)) for name in ("device", "precision", "threads")}
        return self._fitted(teaching, parts, results, used, start)

    def _parts(self, model: Network, teaching: Teaching) -> list[Part]:
        """Return the parts of the stack, each with everything that its training depends on."""
        sets, seeds, draws = len(teaching.lessons), teaching.seeds, teaching.draws
        size = model.parameters(teaching.features, teaching.n_classes)
        members = draws * len(seeds) * sets
        device = choose_device(self.computation.device)
        whole = [Share(range(draws), seeds)]
        shares = shares_of(draws, seeds, sets, size) if device.type == "cpu" else whole
        # A single large network gains from threads within operations; small ones only wait for them.
        several = len(shares) == 1 and members * size >= LARGE
        threads = self.points.kept().get("threads", workers.jobs()) if several else 1
        precision = precision_for(self.computation.precision, size, device)
        return [
            Part(
                model=str(model),
                features=list(teaching.features),
                n_classes=teaching.n_classes,
                draws=list(share.draws),
                seeds=list(share.seeds),
                place=seeds.index(share.seeds[0]),
                sets=sets,
                role=teaching.role,
                training=Training(**{key: getattr(self.training, key) for key in rules(Training)}),
                loss=teaching.loss,
                decay=self.computation.schedule == "linear",
                device=device.type,
                precision=str(precision).removeprefix("torch."),
                threads=threads,
                keep_going=self.keep_going,
                predicted=list(teaching.predicted),
                point=str(self.points[k].path),
                identity={**self.identity, "threads": threads, "part": [*map(list, share)]},
            )
            for k, share in enumerate(shares)
        ]

    def _shared(self, teaching: Teaching) -> dict[str, Tensor]:
        """Return the tensors that all parts share: examples, targets and labels."""
        shared = {"x": teaching.x} | {f"{split}.index": index for split, index in teaching.index.items()}
        for split in ("train", "val"):
            objective = objective_of(teaching, split)
            if split == "train" and 0 < self.training.batch_size < teaching.n_train:
                objective = objective.by_example()
            shared |= {f"{split}.target": objective.target, f"{split}.labels": objective.labels}
            if objective.weights is not None:
                shared[f"{split}.weights"] = objective.weights
        shared["temperature"] = objective.temperature
        if teaching.standardise:
            shared |= scaling_of(teaching.x, teaching.index["train"])._asdict()
        if objective.label_weight is not None:
            shared["label_weight"] = objective.label_weight
        return shared

    def _stop_if_diverged(self, parts: Sequence[Part], k: int, result: Result) -> None:
        if result.value:
            epoch, members = result.value
            lost = [parts[k].member(member) for member in members]
            what = f"became non-finite by epoch {epoch}"
            raise self._not_finite("loss", what, lost, parts[k].sets * len(parts[k].seeds))

    def _not_finite(
        self, quantity: str, what: str, lost: Sequence[tuple[int, int, int]], seeds: int
    ) -> NotFiniteError:
        """Return the error for the lost members, by set, seed and draw; `seeds` counts those of all sets.

        A seed that is lost in one draw is left out in all draws.
        """
        shown = ", ".join(self.name_member(*member) for member in lost[:3])
        if len(lost) > 3:
            shown += f" and {len(lost) - 3} more"
        everyone = self.all_needed or len({member[:2] for member in lost}) == seeds
        keep = "" if everyone else ", or drop such seeds with --keep-going"
        hint = f"nothing of it was written; {smaller_step(self.training)}{keep}"
        return NotFiniteError(f"the {quantity} of {shown} {what}", hint, everyone=everyone)

    def _fitted(
        self,
        teaching: Teaching,
        parts: Sequence[Part],
        results: Sequence[Result],
        used: Mapping[str, str],
        start: float,
    ) -> list[Fitted]:
        """Return the trained models by set, without the seeds that were lost in any draw."""
        history, joined = _joined(results)
        sets, draws = len(teaching.lessons), range(teaching.draws)
        members = [part.member(k) for part in parts for k in range(part.members)]
        logits = {split: joined[f"logits.{split}"] for split in teaching.predicted}
        overflowed = [members[k] for k in _non_finite_rows(logits)]
        if overflowed and not self.keep_going:
            what = "is not finite everywhere"
            raise self._not_finite("output", what, overflowed, sets * len(teaching.seeds))
        gone = {"diverged": [members[k] for k in history.diverged], "overflowed": overflowed}
        place = {member: k for k, member in enumerate(members)}
        seconds = (time.perf_counter() - start) / sets
        own = "model."
        parameters = {name.removeprefix(own): t for name, t in joined.items() if name.startswith(own)}

        def of_set(k: int) -> Fitted:
            lost = _lost_seeds(gone, k)
            kept = [seed for seed in teaching.seeds if not any(seed in out for out in lost.values())]
            by_draw = [[place[k, seed, draw] for seed in kept] for draw in draws]
            places = torch.tensor(by_draw, dtype=torch.int64)
            return Fitted(
                seeds=kept,
                tensors={name: tensor[places] for name, tensor in parameters.items()},
                logits={split: tensor[places] for split, tensor in logits.items()},
                seconds=seconds,
                history=history.of(places),
                used=used,
                lost=lost,
            )

        return [of_set(k) for k in range(sets)]


def objective_of(teaching: Teaching, split: str) -> Objective:
    """Return the objective of the stack of all sets on a split, features first."""
    lessons = teaching.lessons
    temperatures, weights = (
        torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)
        for values in (
            [lesson.temperature for lesson in lessons],
            [lesson.label_weight for lesson in lessons],
        )
    )
    each = [lesson.targets[split].mT for lesson in lessons]
    each = [target if target.ndim == 4 else target.unsqueeze(1) for target in each]
    seeds = max(target.shape[1] for target in each)
    return Objective(
        target=torch.stack([target.expand(-1, seeds, -1, -1) for target in each], 2).contiguous(),
        temperature=temperatures,
        labels=teaching.labels[split].mT[:, None, None].contiguous(),
        label_weight=weights if bool(weights.any()) else None,
        weights=teaching.weights[split][:, None, None] if teaching.weights else None,
        loss_name=teaching.loss,
    )


def smaller_step(training: Training) -> str:
    """Say what to do about a loss that stops being finite."""
    return f"try a smaller step than --learning-rate {training.learning_rate:g}"


def _lost_seeds(gone: Mapping[str, Sequence[tuple[int, int, int]]], of_set: int) -> dict[str, list[int]]:
    """Return the seeds of a set that were lost in any draw, each once, with the first outcome."""
    lost: dict[str, list[int]] = {}
    for why, members in gone.items():
        before = {seed for seeds in lost.values() for seed in seeds}
        if seeds := sorted({seed for k, seed, _ in members if k == of_set} - before):
            lost[why] = seeds
    return lost


def _joined(results: Sequence[Result]) -> tuple[History, dict[str, Tensor]]:
    """Join the curves and the other tensors of all parts along the axis of members.

    A part of which every member is lost has stopped: its curves end before those of the others.
    """
    tensors = {
        name: torch.cat([result.tensors[name] for result in results])
        for name in results[0].tensors
        if not name.startswith("curve.")
    }
    longest = max((result.tensors["curve.epochs"] for result in results), key=len)
    curves = (
        torch.cat([pad(curve, (0, len(longest) - curve.shape[1]), value=math.nan) for curve in of_parts])
        for of_parts in (
            [result.tensors[f"curve.{name}"] for result in results] for name in History._fields[1:]
        )
    )
    return History(longest, *curves), tensors


def _non_finite_rows(logits: Mapping[str, Tensor]) -> list[int]:
    """Return the members whose logits `(members, n, n_classes)` have rows that are not finite numbers.

    A network whose loss is finite on the data it was trained with may still overflow on others.
    """
    finite = torch.stack([values.amax(-1).isfinite().all(dim=1) for values in logits.values()]).all(dim=0)
    members: list[int] = (~finite).nonzero().flatten().tolist()
    return members
