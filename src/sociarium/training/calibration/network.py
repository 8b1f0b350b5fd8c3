"""Calibration of many places at once: a network that reads a place's series and says its parameters, week by week.

An encoder (GRU) reads the observed series; each week of the answer asks by attention which weeks of the series matter to it; a last
layer gives each parameter between its bounds (CalibNN of AgentTorch; Chopra and others, arXiv 2409.10568). The network is trained
through the simulation: its parameters are simulated, and the distance to the observed series goes back to its weights. Trained on some
places, it answers for others without another fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sociarium.environments.tensors import Tensor, TensorStream, loose, torch
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness, key_of
from sociarium.training import saving
from sociarium.training.adam import Adam
from sociarium.training.calibration.gradient import Descent, simulate_arrays
from sociarium.training.calibration.parameters import Floats, Simulate, Space

Observed = Mapping[str, Floats]  # stream -> (places, weeks)


@dataclass(frozen=True, slots=True)
class Scaling:
    """Mean and spread of log(1 + series) over the places learned from, and each stream's variance: one a stream."""

    means: Floats
    spreads: Floats
    variances: Floats

    @classmethod
    def of(cls, observed: Observed) -> Scaling:
        logs = [np.log1p(series) for series in observed.values()]
        spread = [max(float(part.std()), 1e-9) for part in logs]
        return cls(
            np.array([part.mean() for part in logs]), np.array(spread), np.array([max(float(s.var()), 1e-9) for s in observed.values()])
        )

    def features(self, observed: Observed) -> Tensor:
        """(places, weeks, streams), about 0 with spread 1."""
        parts = [(np.log1p(series) - m) / s for series, m, s in zip(observed.values(), self.means, self.spreads, strict=True)]
        return torch.as_tensor(np.stack(parts, -1))


class Encoder(torch.nn.Module):
    """(places, weeks, streams) to (places, size) free numbers."""

    def __init__(self, streams: int, size: int, answers: int, hidden: int, seed: int) -> None:
        super().__init__()
        self.answers = answers
        kind: Any = {"dtype": torch.float64}
        with loose.random.fork_rng(devices=[]):  # Torch fills layers from its global state; they are filled anew below
            self.reader = torch.nn.GRU(streams, hidden, batch_first=True, bidirectional=True, **kind)
            self.questions = torch.nn.Parameter(torch.empty((answers, 2 * hidden), **kind))
            self.keys = torch.nn.Linear(2 * hidden, 2 * hidden, **kind)
            self.mixing = torch.nn.Linear(4 * hidden, hidden, **kind)
            self.saying = torch.nn.Linear(hidden, size // answers, **kind)
        stream = Randomness(seed).stream("network")
        reach = 1 / math.sqrt(hidden)
        for number, weights in enumerate(self.parameters()):
            drawn = TensorStream([stream.at(number)]).uniform(torch.arange(weights.numel()))[0]
            weights.data = ((2 * drawn - 1) * reach).reshape(weights.shape)

    def forward(self, features: Tensor) -> Tensor:
        read, _ = self.reader(features)
        scores = self.questions @ self.keys(read).transpose(1, 2) / math.sqrt(read.shape[-1])
        heard = torch.softmax(scores, -1) @ read
        asked = self.questions.expand(len(features), -1, -1)
        said = self.saying(torch.tanh(self.mixing(torch.cat([heard, asked], -1))))
        return said.transpose(1, 2).reshape(len(features), -1)


class CalibrationNetwork:
    """``fit`` on some places, ``values`` for any. Every parameter of ``space`` must have the same shape, (weeks,) or ()."""

    def __init__(self, space: Space, streams: Sequence[str], *, hidden: int = 16, seed: int = 0) -> None:
        shapes = {one.shape for one in space.parameters}
        if len(shapes) != 1 or len(next(iter(shapes))) > 1:
            raise UsageError(f"a network answers with one number a week for each parameter; the space has shapes {sorted(shapes)}")
        self.space, self.streams, self.seed = space, list(streams), seed
        answers = math.prod(next(iter(shapes)))
        self.encoder = Encoder(len(self.streams), space.size, answers, hidden, seed)
        self.start = torch.as_tensor(space.start())
        self.scaling: Scaling | None = None
        self.losses: list[float] = []
        self.hidden = hidden

    def fit(self, simulate: Simulate, observed: Observed, *, descent: Descent | None = None, state: Path | None = None) -> None:
        """Train on these places. A row of what ``simulate`` is given is a place and a replicate, places first: place 0 with each
        seed, place 1 with each seed, and so on; all places share the seeds."""
        how = descent or Descent(steps=200, rate=1e-2, betas=(0.9, 0.99), replicates=2)
        data = self._checked(observed)
        self.scaling = Scaling.of(data)
        features, weights = self.scaling.features(data), list(self.encoder.parameters())
        adam = Adam(sum(part.numel() for part in weights), how.rate, how.betas)
        plain = {name: series.tolist() for name, series in data.items()}
        of = saving.fingerprint([self.space.plain(), plain, self.hidden, self.seed, {**asdict(how), "steps": None, "keep_every": None}])
        if state is not None and (kept := saving.load(state, of)) is not None:
            self._set(kept["weights"])
            self.losses = kept["losses"].tolist()
            adam.load(kept)
        while len(self.losses) < how.steps:
            loss = self._loss(simulate, data, features, self._seeds(how.replicates))
            gradients = torch.autograd.grad(loss, weights)
            self.losses.append(float(loss.detach()))
            self._set(adam.step(self._flat(), np.concatenate([part.numpy().reshape(-1) for part in gradients])))
            if state is not None and (len(self.losses) % how.keep_every == 0 or len(self.losses) == how.steps):
                saving.save(state, {"weights": self._flat(), "losses": self.losses, **adam.state()}, of)

    def values(self, observed: Observed) -> dict[str, Floats]:
        """(places, *shape) by parameter, for places seen or not."""
        with torch.no_grad():
            found = self.space.values(self._free(self._scaled().features(self._checked(observed))))
        return {name: value.numpy() for name, value in found.items()}

    def loss(self, simulate: Simulate, observed: Observed, replicates: int = 8) -> float:
        """The distance of the simulated series of these places from the observed ones, as in training."""
        data = self._checked(observed)
        return series_loss(simulate_arrays(simulate), self.values(data), data, self._scaled().variances, self._seeds(replicates))

    def _loss(self, simulate: Simulate, data: Observed, features: Tensor, seeds: Sequence[int]) -> Tensor:
        values = self.space.values(self._free(features).repeat_interleave(len(seeds), 0))
        series = simulate(values, list(seeds) * len(features))
        return _distance(series, {name: torch.as_tensor(part) for name, part in data.items()}, self._scaled().variances, len(seeds))

    def _free(self, features: Tensor) -> Tensor:
        return self.start + self.encoder(features)

    def _seeds(self, replicates: int) -> list[int]:
        return [key_of("network", self.seed, k) >> 1 for k in range(replicates)]

    def _checked(self, observed: Observed) -> dict[str, Floats]:
        if missing := [name for name in self.streams if name not in observed]:
            raise UsageError(f"the network reads {', '.join(self.streams)}; {missing[0]!r} is not among what was observed")
        data = {name: np.asarray(observed[name], np.float64) for name in self.streams}
        if any(series.ndim != 2 or np.isnan(series).any() for series in data.values()):
            raise UsageError("a network reads series of (places, weeks) without gaps")
        return data

    def _scaled(self) -> Scaling:
        if self.scaling is None:
            raise UsageError("the network has not been fitted yet")
        return self.scaling

    def _flat(self) -> Floats:
        return np.concatenate([part.detach().numpy().reshape(-1) for part in self.encoder.parameters()])

    def _set(self, flat: Floats) -> None:
        place = 0
        for part in self.encoder.parameters():
            part.data = torch.as_tensor(flat[place : place + part.numel()].copy()).reshape(part.shape)
            place += part.numel()


def series_loss(simulate: Simulate, values: Mapping[str, Floats], observed: Observed, variances: Floats, seeds: Sequence[int]) -> float:
    """The network's distance for any values, (places, *shape): how another way to calibrate does on the same places."""
    places = len(next(iter(observed.values())))
    series = simulate({name: np.repeat(value, len(seeds), 0) for name, value in values.items()}, list(seeds) * places)
    return float(_distance(series, observed, variances, len(seeds)))


def _distance(series: Mapping[str, Any], observed: Mapping[str, Any], variances: Floats, replicates: int) -> Any:
    """Mean over streams, places and weeks of (mean of the replicates - observed)^2 by the stream's variance."""
    total: Any = 0.0
    for (name, data), variance in zip(observed.items(), variances.tolist(), strict=True):
        mean = series[name].reshape((len(data), replicates, *data.shape[1:])).mean(1)
        total = total + ((mean - data) ** 2).mean() / variance
    return total / len(observed)
