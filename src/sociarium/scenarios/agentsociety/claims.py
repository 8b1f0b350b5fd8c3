"""What the paper and its system file claim of mind, mobility and messages, checked on the engine. One function a claim of the card."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.messages.forwarding import forwarded
from sociarium.environments.messages.interceptor import Interceptor, InterceptorRules
from sociarium.environments.messages.messages import Messages
from sociarium.environments.mobility.city import City
from sociarium.environments.mobility.gravity import GravityRules, chosen, exponent
from sociarium.environments.mobility.mobility import Mobility
from sociarium.environments.opinion.models import bounded_confidence, deffuant
from sociarium.kernel.actions import Actions
from sociarium.kernel.network import Network
from sociarium.kernel.population import Population
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Calendar, Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.kernel.units import DAY, HOUR
from sociarium.lab.claims import ClaimContext, Measured, claim
from sociarium.lab.running import Options, in_memory
from sociarium.lab.surveys import CES_D
from sociarium.minds.needs import RANKS, Need, NeedRules, fires_after, interrupts, ruling
from sociarium.minds.rule import RuleMind
from sociarium.populations.networks.acquaintances import acquaintances
from sociarium.record.tree import survey
from sociarium.scenarios.agentsociety.checks_scale import memory_bounded, scale
from sociarium.scenarios.agentsociety.checks_words import (
    news_in_words,
    persuasion_in_words_control,
    persuasion_in_words_like,
    persuasion_in_words_opposing,
    resumed_in_words,
)
from sociarium.scenarios.agentsociety.people import friends, listeners, randomness
from sociarium.scenarios.agentsociety.scenario import SCALE, AgentSociety

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TRIALS, SIZE, EDGES = 100, 60, 5  # of the spread of a message
CHANCE, MISS, BAN, STEPS = 0.2, 0.3, 2, 25
CANCEL = 0.7


@claim("needs-clock")
def needs_clock(context: ClaimContext) -> Measured:
    hours = fires_after(NeedRules().start, NeedRules()) / HOUR
    told = ", ".join(f"{hour:.3f}".rstrip("0").rstrip(".") for hour in hours)
    return Measured.exactly(told, holds=told == context.claim.published)


@claim("needs-ladder")
def needs_ladder(context: ClaimContext) -> Measured:
    """Against the ladder written out: instruction, hungry, tired, work, safe, social, whatever."""
    wrong = 0
    for told, hungry, tired, work, unsafe, alone in itertools.product((False, True), repeat=6):
        levels = np.where([hungry, tired, unsafe, alone], 0.1, 0.9)
        states = (told, hungry, tired, work, unsafe, alone, True)
        wrong += int(ruling(levels[None], NeedRules(), work=work, instructed=told)[0]) != states.index(True)
    rank = {Need.INSTRUCTED: 0, Need.HUNGRY: 1, Need.TIRED: 2, Need.WORK: 3, Need.SAFE: 3, Need.SOCIAL: 4, Need.WHATEVER: 5}
    for new, running in itertools.product(Need, repeat=2):
        wrong += bool(interrupts([new], [running])[0]) != (rank[new] < rank[running])
    return Measured.exactly(float(wrong), holds=wrong == 0 and len(RANKS) == len(Need))


@claim("gravity-fifty")
def gravity_fifty(context: ClaimContext) -> Measured:
    found = exponent(_gone(50), 0.1, 10.0)
    return Measured.exactly(found, holds=True)


@claim("gravity-two-thousand")
def gravity_two_thousand(context: ClaimContext) -> Measured:
    found = exponent(_gone(2000), 0.1, 10.0)
    return Measured.exactly(found, holds=True)


@claim("gravity-medians")
def gravity_medians(context: ClaimContext) -> Measured:
    off = max(abs(float(np.median(_gone(count))) / wanted - 1) for count, wanted in ((50, 1.01), (2000, 0.34)))
    return Measured.exactly(off, holds=True)


@cache
def _gone(candidates: int, choices: int = 10_000) -> Floats:
    """Distances of trips; candidates are drawn afresh from the disc for every choice: density as d^(1/2) on 0.1 to 10 km."""
    rows, rules = np.arange(choices), GravityRules(candidates=candidates)
    out = np.empty(choices)
    for part in np.array_split(rows, max(1, choices * candidates // 2_000_000)):
        stream = Randomness(5).stream("claims.gravity")
        share = stream.uniform(part[:, None], np.arange(candidates)[None, :])
        distance = (0.1**1.5 + share * (10.0**1.5 - 0.1**1.5)) ** (2 / 3)
        taken = chosen(distance, np.ones_like(distance), stream.at("choice"), part, rules)
        out[part] = distance[np.arange(len(part)), taken]
    return out


@claim("persuasion-none")
def persuasion_none(context: ClaimContext) -> Measured:
    before, after = _persuaded("control", friends_talk=False)
    off = float(np.abs(after - before).max())
    return Measured.exactly(off, holds=True)


@claim("persuasion-control")
def persuasion_control(context: ClaimContext) -> Measured:
    return _distance(_persuaded("control")[1])


@claim("persuasion-like")
def persuasion_like(context: ClaimContext) -> Measured:
    return _distance(_persuaded("like")[1])


@claim("persuasion-opposing")
def persuasion_opposing(context: ClaimContext) -> Measured:
    before, after = _persuaded("opposing", friends_talk=False)
    return Measured.exactly(float(np.abs(after - 5).mean()), holds=bool(((before - 5) * (after - 5) < 0).all()))


@claim("persuasion-opposing-friends")
def persuasion_opposing_friends(context: ClaimContext) -> Measured:
    found = float(np.abs(_persuaded("opposing")[1] - 5).mean())
    return Measured.exactly(found, holds=found <= 1 + 1e-3)


@claim("persuasion-bound")
def persuasion_bound(context: ClaimContext) -> Measured:
    return _distance(_persuaded("opposing", bound=2.0)[1])


@claim("persuasion-mean")
def persuasion_mean(context: ClaimContext) -> Measured:
    stream = randomness(context.seeds[0])
    network = friends(_city(), stream)
    opinions = stream.at("opinion").uniform(np.arange(network.nodes))
    start, worst = float(opinions.mean()), 0.0
    for number in range(200):
        opinions = deffuant(network, opinions, stream.at("meet", number), 0.3)
        worst = max(worst, SCALE * abs(float(opinions.mean()) - start))
    return Measured.exactly(worst, holds=worst < 1e-8)


def _persuaded(persuasion: Any, *, bound: float = 3.0, friends_talk: bool = True, rounds: int = 400) -> tuple[Floats, Floats]:
    """Attitudes of the citizens before and after."""
    scenario = _city(persuasion=persuasion, bound=bound, friends_talk=friends_talk)
    simulation = scenario.build(0)
    network, held = listeners(scenario, friends(scenario, randomness(0))), _opinions(simulation)
    before = held
    for _ in range(rounds):
        held = bounded_confidence(network, held, bound / SCALE)
    return SCALE * before[: scenario.citizens], SCALE * held[: scenario.citizens]


def _opinions(simulation: Simulation) -> Floats:
    population = simulation.world.population
    return population.get(population.ids(), "opinion")


def _distance(attitudes: Floats) -> Measured:
    return Measured.exactly(float(np.abs(attitudes - 5).mean()), holds=True)


@claim("bans-order")
def bans_order(context: ClaimContext) -> Measured:
    none, edge, node = (float(_reached(ban, True).mean()) for ban in ("", "edge", "node"))
    told = f"{none:.3f}, {edge:.3f}, {node:.3f}"
    return Measured.exactly(told, holds=none >= edge >= node and none > node)


@claim("bans-subset")
def bans_subset(context: ClaimContext) -> Measured:
    free = _reached("", True)
    wrong = sum((_reached(ban, True) & ~free).any(axis=1).sum() for ban in ("edge", "node"))
    return Measured.exactly(float(wrong), holds=wrong == 0)


@claim("edge-ban-delivered")
def edge_ban_delivered(context: ClaimContext) -> Measured:
    free, edge, node = (_reached(ban, False) for ban in ("", "edge", "node"))
    differ = float((free != edge).sum())
    return Measured.exactly(differ, holds=differ == 0 and node.sum() < free.sum())


@claim("false-alarms")
def false_alarms(context: ClaimContext) -> Measured:
    """Everybody writes to all friends for 20 steps; nothing of it is inflammatory."""
    simulation = _spread(InterceptorRules(false_alarm=0.1), chance=1.0, trials=10, everyone=True)
    simulation.run_sync(20)
    messages = simulation.world.environments["messages"]
    assert isinstance(messages, Messages)
    tried = 20 * len(messages.network)
    lost = 1 - float(messages.sent.sum()) / tried
    return Measured.exactly(lost, holds=abs(lost - 0.1) <= 4 * (0.1 * 0.9 / tried) ** 0.5)


@cache
def _reached(ban: str, block: bool) -> Bools:
    """(trials, agents): who has had the message. No ban: no interceptor at all."""
    rules = InterceptorRules(miss=MISS, block=block, **{f"{ban}_ban": BAN}) if ban else None
    simulation = _spread(rules)
    simulation.run_sync(STEPS)
    messages = simulation.world.environments["messages"]
    assert isinstance(messages, Messages)
    return messages.reached[:, 0].reshape(TRIALS, SIZE)


def _spread(rules: InterceptorRules | None, *, chance: float = CHANCE, trials: int = TRIALS, everyone: bool = False) -> Simulation:
    """Trials side by side, each with a graph of its own; the first of each has the message, or everyone."""
    parts = [acquaintances(SIZE, Randomness(trial).stream("claims.graph"), least=EDGES, most=EDGES) for trial in range(trials)]
    sources = np.concatenate([part.sources() + trial * SIZE for trial, part in enumerate(parts)])
    targets = np.concatenate([part.targets + trial * SIZE for trial, part in enumerate(parts)])
    messages = Messages(Network.from_edges(trials * SIZE, sources, targets), followed=["news"])
    people = Population.of("citizen", trials * SIZE, group=np.repeat(np.arange(trials), SIZE))
    gates = [] if rules is None else [Interceptor(messages, (lambda text: False) if everyone else (lambda text: True), rules)]
    mind = RuleMind(lambda turn, seen: forwarded(messages, turn, seen, [chance]))
    simulation = Simulation(people, [messages], [mind], Rounds([Phase("write", "messages")], STEPS), seed=3, gates=gates)
    first = np.arange(trials * SIZE) if everyone else np.arange(trials) * SIZE
    simulation.interventions.append(Intervention(0, "messages.tell", {"agents": first.tolist(), "text": "news"}))
    return simulation


@claim("depression-scale")
def depression_scale(context: ClaimContext) -> Measured:
    best = np.where(np.isin(np.arange(1, 21), list(CES_D.reversed)), 3, 0)
    told = ", ".join(f"{score:g}" for score in CES_D.score(np.stack([np.zeros(20), np.full(20, 3), best])))
    return Measured.exactly(told, holds=told == context.claim.published)


@claim("hurricane-trips")
def hurricane_trips(context: ClaimContext) -> Measured:
    """A thousand people who each mean to go out at three hours and come back an hour later; on the second day they are warned."""
    size, hours = 1000, np.array([8, 12, 17])
    city = City.scattered({"home": 300, "shop": 100}, Randomness(1).stream("claims.city"), radius=3.0)

    def rule(turn: Turn, seen: Observations) -> Actions:
        columns, hour = seen["mobility"], turn.time % DAY // HOUR
        if hour in hours + 1:
            return Actions.one(turn, "go", place=columns["home"])
        if hour not in hours:
            return Actions()
        warned = columns["warning"] != ""
        stays = warned & (turn.random("cancel").uniform(turn.agents) < CANCEL)
        return Actions.one(turn, "visit", turn.agents[~stays], kind="shop")

    people = Population.of("citizen", size, home=np.arange(size) % 300, work=-1)
    simulation = Simulation(people, [Mobility(city)], [RuleMind(rule)], Calendar([Phase("live", "mobility")], step=HOUR, duration=3 * DAY))
    simulation.interventions += [Intervention(24, "mobility.warn", {"text": "storm"}), Intervention(48, "mobility.warn", {"text": ""})]
    records: list[TickRecord] = []
    simulation.on_tick.append(records.append)
    simulation.run_sync()
    base, event, after = (float(day) for day in _outings(records, 24))
    error = (CANCEL * (1 - CANCEL) / base) ** 0.5
    return Measured.exactly(event / base, holds=abs(event / base - (1 - CANCEL)) <= 4 * error and after == base)


@claim("hurricane-day")
async def hurricane_day(context: ClaimContext) -> Measured:
    records, meant = await _stormy(context.seeds[0])
    days = _outings(records, 48)
    made = float(days[1])
    error = (CANCEL * (1 - CANCEL) / (made + meant)) ** 0.5
    share = made / (made + meant)
    alike = abs(days[3] - days[2]) <= 4 * (days[2] + days[3]) ** 0.5 and abs(days[2] - days[0]) <= 4 * (days[0] + days[2]) ** 0.5
    return Measured.exactly(share, holds=abs(share - (1 - CANCEL)) <= 4 * error and bool(alike))


@claim("hurricane-workers")
async def hurricane_workers(context: ClaimContext) -> Measured:
    records, _ = await _stormy(context.seeds[0], workers_cancel=False)
    where = [str(place) for record in records for rows in record.events if rows.kind == "minds.cancelled" for place in rows.data["where"]]
    found = where.count("work")
    return Measured.exactly(float(found), holds=found == 0 and len(where) > 100)


async def _stormy(seed: int, **settings: Any) -> tuple[list[TickRecord], float]:
    """Four days with a storm on the second; what was left out in it."""
    records: list[TickRecord] = []
    scenario = _city(days=4, citizens=300, storm=2, cancel=CANCEL, **settings)
    await in_memory(scenario, seed, Options(on_tick=[records.append]))
    return records, float(sum(record.counts.get("minds.cancelled", 0) for record in records))


def _outings(records: list[TickRecord], day: int) -> Floats:
    """Ways out by day."""
    counts = np.array([float(record.measures["mobility.outings"][0]) for record in records])
    return counts.reshape(-1, day).sum(axis=1)


@claim("resumed-alike")
def resumed_alike(context: ClaimContext) -> Measured:
    scenario = _city(citizens=100, step=60, news="inflammatory", interceptor="node", persuasion="opposing")
    whole, half, again = (scenario.build(context.seeds[0]) for _ in range(3))
    whole.run_sync(24)
    half.run_sync(12)
    again.load(half.state())
    again.run_sync(12)
    same = survey(whole.state()).digest == survey(again.state()).digest
    return Measured.exactly("equal" if same else "different", holds=same)


@claim("hurricane-activity")
async def hurricane_activity(context: ClaimContext) -> Measured:
    records: list[TickRecord] = []
    scenario = _city(days=3, citizens=30, step=60, storm=2, model=context.model)
    await in_memory(scenario, context.seeds[0], Options(on_tick=[records.append]))
    base, event, after = _outings(records, 24)
    return Measured.exactly(float(event / base), holds=bool(event < base and after > event))


def _city(**settings: Any) -> AgentSociety:
    return AgentSociety.of(settings)


__all__ = [
    "memory_bounded",
    "news_in_words",
    "persuasion_in_words_control",
    "persuasion_in_words_like",
    "persuasion_in_words_opposing",
    "resumed_in_words",
    "scale",
]
