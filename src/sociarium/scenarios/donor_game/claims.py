"""What the paper and its system file claim, checked on the engine. One function a claim of the card."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.games.price import price
from sociarium.kernel.actions import Actions
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.records import TickRecord
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Observations, Turn
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.running import Options, in_memory
from sociarium.lab.statistics import Interval, common_difference, mean_interval
from sociarium.models.backends.scripted import ScriptedBackend
from sociarium.models.request import Request
from sociarium.scenarios.donor_game.malformed import malformed
from sociarium.scenarios.donor_game.policies import Strategists, read
from sociarium.scenarios.donor_game.scenario import DonorEvolution

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHUFFLINGS = 400
SLIPS = 0.05  # chance that an act becomes a gift of nothing


@dataclass(slots=True)
class Played:
    """One run, tick by tick, with the result of each agent of its last generation: (societies, agents)."""

    simulation: Simulation
    records: list[TickRecord]
    fitness: Floats = field(default_factory=lambda: np.empty(0))
    survives: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    kinds: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))

    def of(self, kind: str) -> Floats:
        """Fitness of all players that follow this rule."""
        return self.fitness[self.kinds == kind]


@claim("accounting")
def accounting(context: ClaimContext) -> Measured:
    """Agents and rounds whose units are not those of a ledger kept in exact fractions: gifts create (b - 1) x, punishments destroy 3 x."""
    wrong = 0
    givers = {"policies": {"unconditional": 0.5, "image": 0.5}}
    punishers = {"policies": {"punisher": 0.5, "defector": 0.5}, "punishment": True}
    for settings in (givers, punishers):
        simulation = DonorEvolution.of({"share": 0.25, "spread": 0.0, "generations": 1, **settings}).build(1)
        ledger = Ledger(simulation.world["donor"])
        simulation.on_tick.append(ledger.check)
        simulation.run_sync()
        wrong += ledger.wrong
    return Measured.exactly(float(wrong), holds=wrong == 0)


class Ledger:
    """The units of every agent in exact fractions, from the events alone. A punished agent never falls below nothing."""

    def __init__(self, game: Any) -> None:
        self.game, self.wrong = game, 0
        self.units = {int(agent): Fraction(10) for agent in game.seats.ravel()}
        self.ended: list[dict[int, Fraction]] = []  # one a game

    def check(self, record: TickRecord) -> None:
        before, forgiven = sum(self.units.values()), Fraction(0)
        for donor, recipient, x in _acts(record, "donor.donated"):
            self.units[donor] -= x
            self.units[recipient] += 2 * x
        for donor, recipient, x in _acts(record, "donor.punished"):
            forgiven += max(Fraction(0), 2 * x - self.units[recipient])
            self.units[donor] -= x
            self.units[recipient] = max(Fraction(0), self.units[recipient] - 2 * x)
        given, spent = _total(record, "donor.donated"), _total(record, "donor.punished")
        self.wrong += sum(self.units.values()) != before + given - 3 * spent + forgiven
        if (record.tick + 1) % 12:
            self.compare(self.game.seats.ravel(), self.game.wealth.ravel(), self.units)
            return
        self.ended.append(self.units)  # a game is over, and everybody begins afresh: its units are in the fitness
        self.units = dict.fromkeys(self.units, Fraction(10))
        for rows in record.events:
            if rows.kind == "donor.scored":
                both = {agent: (one + self.ended[1][agent]) / 2 for agent, one in self.ended[0].items()}
                self.compare(rows.actors, rows.data["fitness"], both)

    def compare(self, agents: Any, found: Any, expected: dict[int, Fraction]) -> None:
        self.wrong += sum(Fraction(float(value)) != expected[int(agent)] for agent, value in zip(agents, found, strict=True))


@claim("closed-form")
def closed_form(context: ClaimContext) -> Measured:
    """Mean final resources when all give the same part."""
    ends = [_mean(policies="unconditional", share=share) for share in (1.0, 0.0, 0.5, 0.25)]
    ends += [_mean(policies="unconditional", share=1.0, multiplier=multiplier) for multiplier in (1.5, 3.0)]
    told = ", ".join(f"{end:.2f}".rstrip("0").rstrip(".") for end in ends)
    return Measured.exactly(told, holds=told == context.claim.published)


@claim("released-schedule")
def released_schedule(context: ClaimContext) -> Measured:
    """The same side gives twice running between the halves of a game, which halves the resources under full donation."""
    end = _mean(policies="unconditional", share=1.0, schedule="released")
    return Measured.exactly(end, holds=end == 15360.0)


@claim("role-swap")
def role_swap(context: ClaimContext) -> Measured:
    """Largest relative difference between any two identical agents in the mean of both games."""
    worst = 0.0
    for share in (0.1, 0.37, 0.5, 0.9):
        fitness = play(policies="unconditional", share=share, generations=1, societies=20).fitness
        worst = max(worst, float(np.ptp(fitness) / fitness.mean()))
    return Measured.exactly(worst, holds=worst <= 1e-9)


@claim("schedule")
def schedule(context: ClaimContext) -> Measured:
    """Violations in the acts of a run: gives 6 and receives 6 in a game, no direction twice, no pair twice running, strict turns."""
    found = play(policies="unconditional", generations=1, societies=5)
    wrong = 0
    for first in (0, 12):
        rounds = [_pairs(record) for record in found.records[first : first + 12]]
        acts = np.concatenate(rounds)
        wrong += int((np.bincount(acts[:, 0], minlength=60) != 6).sum() + (np.bincount(acts[:, 1], minlength=60) != 6).sum())
        wrong += len(acts) - len(np.unique(acts, axis=0))
        for one, other in pairwise(rounds):
            met = {frozenset(pair) for pair in one.tolist()}
            wrong += sum(frozenset(pair) in met for pair in other.tolist())
            wrong += len(np.intersect1d(one[:, 0], other[:, 0]))
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("trace")
def trace(context: ClaimContext) -> Measured:
    """Links shown that differ from those worked out from the history of gifts, and lengths that are not 0, 1, 2, 3, 3, ..."""
    wrong = 0
    for seed in context.seeds[:5]:
        simulation = DonorEvolution.of({"generations": 1, "societies": 4, "spread": 0.3}).build(seed)
        watcher = Watcher()
        simulation.minds.all[0] = watcher
        simulation.run_sync()
        wrong += watcher.wrong
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("defector-among-givers")
def defector_among_givers(context: ClaimContext) -> Measured:
    return _invader("unconditional", 482.66, 199.83, survives=True)


@claim("defector-among-scorers")
def defector_among_scorers(context: ClaimContext) -> Measured:
    return _invader("image", 15.0, 81.97, survives=False)


@claim("defector-among-judges")
def defector_among_judges(context: ClaimContext) -> Measured:
    return _invader("forgiving", 15.0, 259.03, survives=False)


@claim("scorers-drift-among-givers")
def scorers_drift_among_givers(context: ClaimContext) -> Measured:
    """Without defectors image scorers and unconditional givers earn the same in every shuffling."""
    found = play(policies={"unconditional": 0.5, "image": 0.5}, generations=1, societies=SHUFFLINGS)
    return Measured.exactly(round(float(found.fitness.mean()), 2), holds=float(np.ptp(found.fitness)) < 1e-9)


@claim("bistable")
def bistable(context: ClaimContext) -> Measured:
    """Six defectors among six image scorers, 6000 shufflings: the defectors' part of the survivors lies anywhere from 0 to 1."""
    found = play(policies={"defector": 0.5, "image": 0.5}, generations=1, societies=6000)
    part = ((found.kinds == "defector") & found.survives).sum(axis=1) / 6
    interval = mean_interval(part)
    low, high = float(part.min()), float(part.max())
    return Measured(interval.estimate, low, high, low == 0 and high == 1)


@claim("errors-givers")
def errors_givers(context: ClaimContext) -> Measured:
    return _with_slips("unconditional", 319.0, 0.03)


@claim("errors-judges")
def errors_judges(context: ClaimContext) -> Measured:
    return _with_slips("forgiving", 268.0, 0.03)


@claim("errors-scorers")
def errors_scorers(context: ClaimContext) -> Measured:
    return _with_slips("image", 148.0, 0.08)


@claim("forgiveness-beats-scoring")
def forgiveness_beats_scoring(context: ClaimContext) -> Measured:
    """Units that forgiving judges have more than image scorers, with errors, paired by shuffling."""
    judges, scorers = (_slipped(kind).mean(axis=1) for kind in ("forgiving", "image"))
    interval = common_difference(judges, scorers)
    return Measured.estimated(interval, holds=interval.low > 0)


@claim("no-tipping-point")
def no_tipping_point(context: ClaimContext) -> Measured:
    """Among players who give the mean of the shown gifts + k, giving rises if and only if k > 0, whatever the first act."""
    wrong = 0
    for first in (0.1, 0.3, 0.5, 0.7, 0.9):
        for slope in (-0.05, -0.01, 0.0, 0.01, 0.05):
            path = _path(policies="links", share=first, slope=slope)
            moved = float(path[-1] - path[0])
            wrong += not (abs(moved) < 1e-12 if slope == 0 else moved * slope > 0)
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("tipping-point")
def tipping_point(context: ClaimContext) -> Measured:
    """The part given in round 12 by players of 0.49 + 2 (mean - 0.49), from four first acts."""
    ends = [float(_path(policies="tipping", share=first, slope=2.0)[-1]) for first in (0.44, 0.47, 0.50, 0.53)]
    told = ", ".join(f"{end:.4g}" for end in ends)
    return Measured.exactly(told, holds=told == context.claim.published)


@claim("price-equation")
def price_equation(context: ClaimContext) -> Measured:
    """Largest difference between the change of a mean and the two terms of the Price equation, over random generations."""
    worst = 0.0
    for seed in context.seeds:
        stream = Randomness(seed).stream("price")
        rows = np.arange(200 * 12).reshape(200, 12)
        trait, offspring = stream.uniform(rows), stream.integers(0, 3, rows, 1).astype(np.float64)
        offspring[:, 0] += 1  # nobody's line may die out in all of a group
        passed = trait + 0.1 * stream.normal(rows, 2)
        after = (offspring * passed).sum(axis=1) / offspring.sum(axis=1)
        worst = max(worst, float(np.abs(price(offspring, trait, passed).total - (after - trait.mean(axis=1))).max()))
    return Measured.exactly(worst, holds=worst <= 1e-9)


@claim("parser")
async def parser(context: ClaimContext) -> Measured:
    """Of 200 malformed answers, those that ended neither in a legal act nor in a marked gift of nothing."""
    wrong, seen = 0, 0
    answers = malformed()
    for at in range(0, len(answers), 72):
        wrong_here, seen_here = await _answered(answers[at : at + 72])
        wrong, seen = wrong + wrong_here, seen + seen_here
    return Measured.exactly(float(wrong), holds=wrong == 0 and seen == len(answers) == 200)


@claim("selection-raises-giving")
async def selection_raises_giving(context: ClaimContext) -> Measured:
    """Change of the part given from the first to the fifth generation, with a strong model."""
    changes: list[float] = []
    for seed in context.seeds[:5]:
        records: list[TickRecord] = []
        scenario = DonorEvolution.of({"model": context.model, "generations": 5})
        await in_memory(scenario, seed, Options(on_tick=[records.append]))
        ends = [float(record.measures["donor.donation"][0]) for record in records if (record.tick + 1) % 24 == 0]
        changes.append(ends[-1] - ends[0])
    interval = mean_interval(changes)
    return Measured.estimated(interval, holds=interval.low > 0)


def play(seed: int = 1, **settings: Any) -> Played:
    """A run with rule minds and equal founders."""
    simulation = DonorEvolution.of({"spread": 0.0, "mutation": 0.0, "innovation": 0.0, **settings}).build(seed)
    found = Played(simulation, [])
    simulation.on_tick.append(found.records.append)
    simulation.run_sync()
    game: Any = simulation.world["donor"]
    rows = next(rows for rows in found.records[-1].events if rows.kind == "donor.scored")
    shape = game.seats.shape
    found.fitness, found.survives = rows.data["fitness"].reshape(shape), rows.data["survives"].reshape(shape)
    texts = simulation.world.population.get(rows.actors, "strategy")
    found.kinds = np.array([read(text).kind for text in texts], object).reshape(shape)
    return found


class Watcher(Strategists):
    """Plays as others do, and holds every trace that it is shown against the whole history of gifts."""

    def __init__(self) -> None:
        super().__init__()
        self.acts: list[tuple[int, int, float]] = []  # donor, recipient, part given
        self.game, self.wrong = 0, 0

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        actions = await super().decide(turn, seen)
        if "donor.donate" not in actions.tables:
            return actions
        shown = seen["donor"]
        if int(shown["game"][0]) != self.game:
            self.game, self.acts = int(shown["game"][0]), []
        length = min(int(shown["round"][0]) - 1, 3)
        for row, partner in enumerate(shown["partner"].tolist()):
            expected = chain(self.acts, partner, 3)
            links = [(int(d), int(r), float(s)) for d, r, s in zip(*(shown[f"trace_{n}"][row] for n in _LINK), strict=True) if d >= 0]
            self.wrong += links != expected or len(links) != length
        amounts = actions.tables["donor.donate"]["amount"]
        parts = np.divide(amounts, shown["resources"], out=np.zeros(len(amounts)), where=shown["resources"] > 0)
        self.acts += zip(turn.agents.tolist(), shown["partner"].tolist(), parts.tolist(), strict=True)
        return actions


_LINK = ("donors", "recipients", "shares")


def chain(acts: list[tuple[int, int, float]], agent: int, links: int) -> list[tuple[int, int, float]]:
    """From the history alone: the agent's last gift, then the last gift, before that, of whom it went to, and so on."""
    found: list[tuple[int, int, float]] = []
    wanted = agent
    for donor, recipient, share in reversed(acts):
        if donor == wanted and len(found) < links:
            found.append((donor, recipient, share))
            wanted = recipient
    return found


def _invader(among: str, defector: float, others: float, *, survives: bool) -> Measured:
    """One defector among eleven others, 400 shufflings: its units are the same in each, as is the others' mean."""
    found = play(policies={"defector": 1 / 12, among: 11 / 12}, generations=1, societies=SHUFFLINGS)
    alone, rest = found.of("defector"), np.where(found.kinds == among, found.fitness, 0.0).sum(axis=1) / 11
    kept = found.survives[found.kinds == "defector"]
    exact = float(np.ptp(alone)) < 1e-9 and float(np.ptp(rest)) < 1e-9
    right = abs(alone[0] - defector) < 0.005 and abs(rest[0] - others) < 0.005
    told = f"{alone[0]:.2f} against {rest[0]:.2f}"
    return Measured.exactly(told, holds=exact and right and bool((kept == survives).all()))


def _slipped(kind: str) -> Floats:
    return play(policies=kind, generations=1, societies=SHUFFLINGS, error_rate=SLIPS).fitness


def _with_slips(kind: str, expected: float, tolerance: float) -> Measured:
    interval: Interval = mean_interval(_slipped(kind).mean(axis=1))
    return Measured.estimated(interval, holds=abs(interval.estimate / expected - 1) <= tolerance)


def _mean(**settings: Any) -> float:
    return float(play(generations=1, **settings).records[-1].measures["donor.resources"][0])


def _path(**settings: Any) -> Floats:
    """The mean part given in each round of the first game: (12,)."""
    records = play(generations=1, societies=3, **settings).records[:12]
    return np.array(
        [float(np.mean(next(rows for rows in record.events if rows.kind == "donor.donated").data["share"])) for record in records],
        np.float64,
    )


def _pairs(record: TickRecord) -> Ints:
    """(acts, 2): donor and recipient."""
    rows = next(rows for rows in record.events if rows.kind == "donor.donated")
    return np.stack([rows.actors, rows.data["recipient"]], axis=1)


def _acts(record: TickRecord, kind: str) -> list[tuple[int, int, Fraction]]:
    """Donor, recipient and exact amount of each act of a kind."""
    found: list[tuple[int, int, Fraction]] = []
    for rows in record.events:
        if rows.kind == kind:
            columns = (rows.actors.tolist(), rows.data["recipient"].tolist(), rows.data["amount"].tolist())
            found += [(donor, recipient, Fraction(amount)) for donor, recipient, amount in zip(*columns, strict=True)]
    return found


def _total(record: TickRecord, kind: str) -> Fraction:
    return sum((amount for _, _, amount in _acts(record, kind)), Fraction(0))


async def _answered(answers: list[str]) -> tuple[int, int]:
    """Let players answer so; how many acts were neither legal nor marked as a gift of nothing, and how many answers were used."""
    waiting = list(answers)

    def reply(request: Request, draw: int | None) -> str:
        if request.blocks[-1].origin == "donor_game.strategy":
            return "My strategy will be to answer oddly."
        return waiting.pop(0) if waiting else "Justification: done. Answer: 0"

    records: list[TickRecord] = []
    backend = ScriptedBackend(reply, tag="malformed")
    scenario = DonorEvolution.of({"model": "scripted:malformed", "generations": 1, "retries": 0})
    await in_memory(scenario, 1, Options(backends={"scripted:malformed": backend}, on_tick=[records.append]))
    wrong = 0
    for record in records:
        marked = {int(a) for rows in record.outcomes for a, fallback in zip(rows.agents, rows.fallback, strict=True) if fallback}
        refused = {refusal.agent for refusal in record.refusals}
        for rows in record.events:
            if rows.kind == "donor.donated":
                for agent, amount, share in zip(rows.actors.tolist(), rows.data["amount"], rows.data["share"], strict=True):
                    legal = math.isfinite(amount) and amount >= 0 and 0 <= share <= 1
                    wrong += not legal or (agent in marked and amount != 0) or agent in refused
    return wrong, len(answers) - len(waiting)
