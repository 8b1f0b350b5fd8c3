"""Policy gradient over wordings: the best is found, whether wordings depend on one another or not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from sociarium.kernel.errors import UsageError
from sociarium.training.prompt_search import Ascent, Filling, PromptSearch

SLOTS = {"tone": ["plain", "urgent", "kind"], "news": ["none", "cases", "prices"]}


def bandit(seed: int, *, additive: bool) -> np.ndarray:
    """(3, 3) rewards, the best exactly .1 above the second."""
    g = np.random.default_rng(seed)
    while additive:
        table = (g.random((3, 1)) + g.random((1, 3))) / 2
        second, first = np.sort(table.reshape(-1))[-2:]
        if first - second > 0.02:
            return table * 0.1 / (first - second)
    table = g.random((3, 3)) * 0.9
    place = np.unravel_index(table.argmax(), (3, 3))
    table[place] = np.sort(table.reshape(-1))[-2] + 0.1
    return table


def reward_of(table: np.ndarray, filling: Filling) -> float:
    return float(table[SLOTS["tone"].index(filling["tone"]), SLOTS["news"].index(filling["news"])])


@pytest.mark.parametrize("additive", [True, False], ids=["additive", "dependent"])
def test_the_best_of_nine_is_found_in_48_of_50_runs(additive: bool) -> None:
    found = 0
    for seed in range(50):
        table = bandit(seed, additive=additive)
        tone, news = np.unravel_index(table.argmax(), (3, 3))
        search = PromptSearch(SLOTS, seed=seed)
        best = search.run_sync(lambda filling, _, t=table: reward_of(t, filling)).best
        found += best == {"tone": SLOTS["tone"][tone], "news": SLOTS["news"][news]}
    assert found >= 48


def test_noisy_rewards_are_averaged_and_the_better_is_still_found() -> None:
    table = bandit(3, additive=False)
    place = np.unravel_index(table.argmax(), (3, 3))

    async def reward(filling: Filling, seed: int) -> float:
        await asyncio.sleep(0)
        return reward_of(table, filling) + 0.2 * float(np.random.default_rng([seed, *filling["tone"].encode()]).normal())

    found = PromptSearch(SLOTS, seed=1, ascent=Ascent(steps=300)).run_sync(reward)
    assert found.best == {"tone": SLOTS["tone"][place[0]], "news": SLOTS["news"][place[1]]}
    assert found.tried[0][0] == found.best and found.tried[0][2] > 100
    assert found.chance > 0.5 and found.rewards.shape == (300, 8)


def test_a_search_stopped_and_resumed_goes_the_same_way(tmp_path: Path) -> None:
    table, asked = bandit(5, additive=True), []

    def reward(filling: Filling, seed: int) -> float:
        asked.append(dict(filling))
        if len(asked) == 31:
            raise KeyboardInterrupt
        return reward_of(table, filling)

    whole = PromptSearch(SLOTS, seed=2, ascent=Ascent(steps=20)).run_sync(lambda f, s: reward_of(table, f))
    with pytest.raises(KeyboardInterrupt):
        PromptSearch(SLOTS, seed=2, ascent=Ascent(steps=20)).run_sync(reward, tmp_path / "s.npz")
    resumed = PromptSearch(SLOTS, seed=2, ascent=Ascent(steps=20)).run_sync(reward, tmp_path / "s.npz")
    assert resumed.rewards.tolist() == whole.rewards.tolist()
    assert resumed.best == whole.best and resumed.chance == whole.chance


def test_equal_fillings_are_asked_once_where_rewards_never_change() -> None:
    asked: list[tuple[str, str]] = []

    def reward(filling: Filling, seed: int) -> float:
        asked.append((filling["tone"], filling["news"]))
        return float(len(filling["tone"]))

    PromptSearch(SLOTS, seed=1, ascent=Ascent(steps=60, repeats=True)).run_sync(reward)
    assert len(asked) == len(set(asked)) <= 9


def test_what_cannot_be_searched_is_refused() -> None:
    with pytest.raises(UsageError, match="none twice"):
        PromptSearch({"tone": ["a", "a"]})
    with pytest.raises(UsageError, match="1 fillings"):
        PromptSearch({"tone": ["a"]})
    with pytest.raises(UsageError, match="1,048,576 fillings"):
        PromptSearch({str(k): ["a", "b", "c", "d"] for k in range(10)})
    with pytest.raises(UsageError, match="must be a number"):
        PromptSearch(SLOTS).run_sync(lambda filling, seed: float("nan"))
