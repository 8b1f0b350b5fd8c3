"""Search over prompts: which wording in each slot of a template makes a population behave best, by policy gradient.

The policy is a softmax over all fillings of the slots; its preferences are one number an option and one a pair of options in two
slots, so that wordings may depend on one another. It moves along the policy gradient (Williams 1992), with the mean of the other
samples as baseline and an entropy bonus that fades (the search of AgentTorch's P3O; Chopra and others, arXiv 2409.10568).
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness, key_of
from sociarium.training import saving
from sociarium.training.adam import Adam

Floats = NDArray[np.float64]
Filling = Mapping[str, str]  # slot -> the wording chosen
Reward = Callable[[Filling, int], float | Awaitable[float]]
MOST = 20_000  # fillings that are looked at one by one


@dataclass(frozen=True, slots=True)
class Ascent:
    """``samples`` fillings are tried in each of ``steps`` steps. ``entropy``: the bonus at the first step, in spreads of the reward; it
    falls to 0 in a straight line. ``repeats``: a reward never changes, so equal fillings are tried once."""

    steps: int = 150
    samples: int = 8
    rate: float = 0.1
    entropy: float = 0.5
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """``best``: the policy's most likely filling, with its ``chance``. ``tried``: fillings with their mean reward and how often each
    was tried, best first. ``rewards``: (steps, samples)."""

    best: Filling
    chance: float
    tried: Sequence[tuple[Filling, float, int]]
    rewards: Floats


class PromptSearch:
    """``await PromptSearch({"tone": ["plain", "urgent"], "news": ["none", "cases"]}).run(reward)``.

    ``reward(filling, seed)`` is a number, or a coroutine that gives one: whatever renders the template, asks models, simulates and
    measures. All fillings of one step get the same seed (common random numbers).
    """

    def __init__(self, slots: Mapping[str, Sequence[str]], *, seed: int = 0, ascent: Ascent | None = None) -> None:
        self.how = ascent or Ascent()
        self.slots = {name: list(options) for name, options in slots.items()}
        for name, options in self.slots.items():
            if not options or len(set(options)) != len(options):
                raise UsageError(f"slot {name!r} needs at least one wording, and none twice")
        count = int(np.prod([len(options) for options in self.slots.values()])) if self.slots else 0
        if not 2 <= count <= MOST:
            raise UsageError(f"the slots have {count:,} fillings; a search needs 2 to {MOST:,}")
        if self.how.samples < 2 or self.how.steps < 1:
            raise UsageError("a search needs at least one step, and two samples in each")
        self.seed = seed
        self.fillings = [dict(zip(self.slots, words, strict=True)) for words in itertools.product(*self.slots.values())]
        self.features = _features([len(options) for options in self.slots.values()])

    async def run(self, reward: Reward, state: Path | None = None) -> Found:
        """All steps. ``state``: a file to resume from and to keep each step in."""
        how, adam = self.how, Adam(self.features.shape[1], self.how.rate, (0.9, 0.99))
        of = saving.fingerprint([self.slots, self.seed, asdict(how)])
        kept = saving.load(state, of) if state is not None else None
        weights, sums, counts, rewards = (
            (np.zeros(self.features.shape[1]), np.zeros(len(self.fillings)), np.zeros(len(self.fillings)), np.empty((0, how.samples)))
            if kept is None
            else (kept["weights"], kept["sums"], kept["counts"], kept["rewards"])
        )
        if kept is not None:
            adam.load(kept)
        for step in range(len(rewards), how.steps):
            chances = _softmax(self.features @ weights)
            chosen = Randomness(self.seed).stream("prompts", step).choice(chances, np.arange(how.samples))
            found = await self._rewards(reward, chosen, key_of("prompts", self.seed, step) >> 1, sums, counts)
            np.add.at(sums, chosen, found)
            np.add.at(counts, chosen, 1)
            rewards = np.concatenate([rewards, found[None]])
            weights = adam.step(weights, -self._gradient(chances, chosen, found, rewards, 1 - step / how.steps))
            if state is not None:
                arrays = {"weights": weights, "sums": sums, "counts": counts, "rewards": rewards}
                saving.save(state, {**arrays, **adam.state()}, of)
        chances = _softmax(self.features @ weights)
        place = int(np.argmax(chances))
        tried = [(self.fillings[k], float(sums[k] / counts[k]), int(counts[k])) for k in np.flatnonzero(counts)]
        return Found(self.fillings[place], float(chances[place]), sorted(tried, key=lambda one: -one[1]), rewards)

    def run_sync(self, reward: Reward, state: Path | None = None) -> Found:
        return asyncio.run(self.run(reward, state))

    async def _rewards(self, reward: Reward, chosen: NDArray[np.int64], seed: int, sums: Floats, counts: Floats) -> Floats:
        """One number a sample; equal fillings of one step are the same run, and are asked once."""

        async def one(k: int) -> float:
            if self.how.repeats and counts[k]:
                return float(sums[k] / counts[k])
            given = reward(self.fillings[k], seed)
            value = float(await given if inspect.isawaitable(given) else given)
            if not np.isfinite(value):
                raise UsageError(f"the reward of {self.fillings[k]} is {value}; it must be a number")
            return value

        asked = sorted(set(chosen.tolist()))
        values = dict(zip(asked, await asyncio.gather(*(one(k) for k in asked)), strict=True))
        return np.array([values[k] for k in chosen.tolist()])

    def _gradient(self, chances: Floats, chosen: NDArray[np.int64], found: Floats, rewards: Floats, left: float) -> Floats:
        """Of the expected reward, in spreads of the rewards so far, and of the entropy."""
        spread = float(rewards.std()) or 1.0
        advantage = (found - (found.sum() - found) / (len(found) - 1)) / spread
        mean = chances @ self.features
        upward = advantage @ (self.features[chosen] - mean) / len(found)
        surprise = -np.log(np.maximum(chances, 1e-300))
        entropy = (chances * (surprise - chances @ surprise)) @ (self.features - mean)
        return upward + self.how.entropy * left * entropy


def _features(sizes: Sequence[int]) -> Floats:
    """(fillings, options + pairs of options): which options, and which pairs, a filling has."""
    every = np.array(list(itertools.product(*(range(size) for size in sizes))))
    single = [every[:, k] == option for k, size in enumerate(sizes) for option in range(size)]
    double = [
        (every[:, j] == a) & (every[:, k] == b)
        for j, k in itertools.combinations(range(len(sizes)), 2)
        for a in range(sizes[j])
        for b in range(sizes[k])
    ]
    return np.array([*single, *double], np.float64).T


def _softmax(preferences: Floats) -> Floats:
    raised = np.exp(preferences - preferences.max())
    return raised / raised.sum()
