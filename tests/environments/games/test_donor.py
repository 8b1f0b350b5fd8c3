"""The donor game in the real simulation: accounting, closed forms, traces, evolutionary stability, generations."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sociarium.environments.games.donor import DonorGame
from sociarium.environments.games.price import price
from sociarium.environments.games.rules import DonorRules, DonorWording
from sociarium.kernel.actions import Actions
from sociarium.kernel.content import Trust
from sociarium.kernel.environment import News
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Population
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.minds.rule import RuleMind

Rule = Callable[[Turn, Observations], Actions]
Share = Callable[[Turn, dict[str, NDArray]], object]


def society(rule: Rule, rules: DonorRules, groups: int = 1, *, seed: int = 0, written: bool = False, mind: RuleMind | None = None,
            **columns: object) -> Simulation:  # fmt: skip
    everyone = Population.of("player", groups * rules.agents, group=np.repeat(np.arange(groups), rules.agents), **columns)
    phases = [Phase("round", "donor")]
    if written:
        phases.insert(0, Phase("strategy", "donor", every=rules.generation_ticks))
    return Simulation(everyone, [DonorGame(rules)], [mind or RuleMind(rule)], Rounds(phases, rules.ticks), seed=seed)


def gives(share: Share) -> Rule:
    def rule(turn: Turn, seen: Observations) -> Actions:
        columns = dict(seen["donor"])
        return Actions.one(turn, "donate", amount=np.asarray(share(turn, columns)) * columns["resources"])

    return rule


def records(simulation: Simulation, ticks: int | None = None) -> list[TickRecord]:
    found: list[TickRecord] = []
    simulation.on_tick.append(found.append)
    simulation.run_sync(ticks)
    return found


def final(simulation: Simulation) -> dict[str, NDArray[np.float64]]:
    return {name.removeprefix("donor."): np.asarray(value) for name, value in records(simulation)[-1].measures.items()}


def events(record: TickRecord, kind: str) -> dict[str, list]:
    found = [e for e in record.events if e.kind == f"donor.{kind}"]
    if not found:
        return {"actor": [], "recipient": [], "amount": [], "share": []}
    return {"actor": found[0].actors.tolist(), **{name: column.tolist() for name, column in found[0].data.items()}}


ONE = DonorRules(generations=1)


@pytest.mark.parametrize(
    ("share", "multiplier", "mean"),
    [(1, 2, 30_720), (0, 2, 10), (0.5, 2, 393.91), (0.25, 2, 53.49), (1, 1.5, 1081.22), (1, 3, 3_542_940)],
)
def test_constant_fractions_end_in_the_closed_form(share: float, multiplier: float, mean: float) -> None:
    m = final(society(gives(lambda turn, c: share), DonorRules(generations=1, multiplier=multiplier)))
    assert m["resources"] == pytest.approx(mean, abs=0.005)
    assert m["donation"] == pytest.approx(share)


def test_the_released_schedule_halves_full_donation() -> None:
    assert final(society(gives(lambda turn, c: 1), DonorRules(generations=1, released_schedule=True)))["resources"] == 15_360


def test_both_games_give_alike_agents_the_same_mean_and_the_released_score_does_not() -> None:
    for released, spread in ((False, 0), (True, 61_440)):
        rules = DonorRules(generations=1, released_score=released)
        scored = events(records(society(gives(lambda turn, c: 1), rules))[-1], "scored")
        assert max(scored["fitness"]) - min(scored["fitness"]) == pytest.approx(spread, abs=1e-9)
    fitness = events(records(society(gives(lambda turn, c: 0.3), ONE))[-1], "scored")["fitness"]
    assert max(fitness) - min(fitness) <= 1e-9


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=6 * 12, max_size=6 * 12), st.sampled_from([1.5, 2.0, 3.0]))
def test_units_add_up_exactly_in_every_round(choices: Sequence[tuple[int, bool]], multiplier: float) -> None:
    """Shares are eighths and every number a dyadic rational, so floats are exact: compared with fractions kept beside the engine."""
    rules = DonorRules(generations=1, rounds=6, punishment=True, multiplier=multiplier)

    def rule(turn: Turn, seen: Observations) -> Actions:
        c = seen["donor"]
        mine = [choices[(turn.tick * 6 + int(a)) % len(choices)] for a in turn.agents]
        amount = np.array([n / 8 for n, _ in mine]) * c["resources"]
        fines = np.array([p for _, p in mine])
        return Actions.one(turn, "donate", turn.agents[~fines], amount=amount[~fines]).add(
            turn, "punish", turn.agents[fines], amount=amount[fines]
        )

    simulation = society(rule, rules)
    ledger = {a: Fraction(10) for a in range(12)}
    for tick, record in enumerate(records(simulation, 5)):
        before, floored = sum(ledger.values()), Fraction(0)
        given_, fined = events(record, "donated"), events(record, "punished")
        for a, b, x in zip(given_["actor"], given_["recipient"], given_["amount"], strict=True):
            ledger[a] -= Fraction(x)
            ledger[b] += Fraction(multiplier) * Fraction(x)
        for a, b, x in zip(fined["actor"], fined["recipient"], fined["amount"], strict=True):
            ledger[a] -= Fraction(x)
            lost = min(ledger[b], 2 * Fraction(x))
            floored += 2 * Fraction(x) - lost
            ledger[b] -= lost
        total = sum(map(Fraction, given_["amount"]), Fraction(0))
        spent = sum(map(Fraction, fined["amount"]), Fraction(0))
        assert len(given_["actor"]) + len(fined["actor"]) == 6
        assert sum(ledger.values()) == before + (Fraction(multiplier) - 1) * total - 3 * spent + floored
        if tick == 4:
            donor = simulation.world["donor"]
            assert {int(a): Fraction(float(w)) for a, w in zip(donor.seats[0], donor.wealth[0], strict=True)} == ledger


def test_everyone_gives_and_receives_six_times_a_game_and_no_pair_repeats_or_meets_twice_running() -> None:
    rounds = [events(record, "donated") for record in records(society(gives(lambda turn, c: 0.1), ONE))]
    for game in (rounds[:12], rounds[12:]):
        directed = [pair for r in game for pair in zip(r["actor"], r["recipient"], strict=True)]
        assert len(set(directed)) == 72
        for before, after in itertools.pairwise(game):
            assert set(before["actor"]) == set(after["recipient"])
            pairs = [{frozenset(p) for p in zip(r["actor"], r["recipient"], strict=True)} for r in (before, after)]
            assert not pairs[0] & pairs[1]
    assert set(rounds[0]["actor"]) == set(rounds[12]["recipient"])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3))
def test_the_shown_trace_is_the_partners_last_gift_and_so_on_back(seed: int, links: int) -> None:
    gifts: dict[int, list[tuple[int, int, float, list]]] = {}

    def rule(turn: Turn, seen: Observations) -> Actions:
        c = seen["donor"]
        if c["round"][0] == 1:
            gifts.clear()
        share = turn.random("gift").integers(0, 8, turn.agents) / 8
        new: dict[int, tuple[int, int, float, list]] = {}
        for row, agent in enumerate(turn.agents.tolist()):
            partner = int(c["partner"][row])
            chain = gifts.get(partner, [])
            shown = [
                (int(c["trace_donors"][row][k]), int(c["trace_recipients"][row][k]), float(c["trace_shares"][row][k]))
                for k in range(links) if c["trace_donors"][row][k] >= 0
            ]  # fmt: skip
            assert shown == chain[:links]
            assert len(shown) == min(links, int(c["round"][row]) - 1)
            real = float(share[row]) if c["resources"][row] > 0 else 0.0
            new[agent] = [(agent, partner, real), *chain][:3]
        gifts.update(new)
        return Actions.one(turn, "donate", amount=share * c["resources"])

    society(rule, DonorRules(generations=1, links=links), seed=seed).run_sync()


GIVER, DEFECTOR, SCORER, JUDGE = range(4)


def typed(turn: Turn, c: dict[str, NDArray], types: NDArray[np.int64]) -> NDArray[np.float64]:
    """Givers, defectors, image scorers, and judges who forgive a justified refusal."""
    kind, shown = types[turn.agents], c["trace_shares"]
    stingy = shown[:, 0] < 0.25  # false where nothing is shown (nan)
    excused = shown[:, 1] < 0.25
    refuses = (kind == DEFECTOR) | ((kind == SCORER) & stingy) | ((kind == JUDGE) & stingy & ~excused)
    return np.where(refuses, 0.0, 0.5)


def mixed(first: int, second: int, count: int, groups: int, seed: int = 5, **rules: object) -> tuple[NDArray, NDArray, NDArray]:
    """Fitness of each agent, whether it is of the second type, and whether it survived; by group."""
    types = np.tile(np.where(np.arange(12) < count, second, first), groups)
    world = society(gives(lambda turn, c: typed(turn, c, types)), DonorRules(generations=1, keep_acts=False, **rules), groups, seed=seed)
    scored = next(e for e in records(world)[-1].events if e.kind == "donor.scored")
    order = np.argsort(scored.actors)
    return (
        scored.data["fitness"][order].reshape(groups, 12),
        (types == second).reshape(groups, 12),
        scored.data["survives"][order].reshape(groups, 12),
    )


@pytest.mark.parametrize(
    ("others", "alone", "rest", "stays"), [(GIVER, 482.66, 199.83, True), (SCORER, 15.00, 81.97, False), (JUDGE, 15.00, 259.03, False)]
)
def test_one_defector_lives_off_givers_and_dies_among_judges_in_every_shuffling(
    others: int, alone: float, rest: float, stays: bool
) -> None:
    fitness, defects, survives = mixed(others, DEFECTOR, 1, 200)
    assert fitness[defects] == pytest.approx(alone, abs=0.005)
    assert np.where(defects, np.nan, fitness)[~defects].reshape(200, 11).mean(axis=1) == pytest.approx(rest, abs=0.005)
    assert (survives[defects] == stays).all()


@pytest.mark.parametrize("kind", [GIVER, SCORER, JUDGE])
def test_without_defectors_givers_and_judges_are_neutral(kind: int) -> None:
    fitness, _, _ = mixed(kind, DEFECTOR, 0, 20)
    assert fitness == pytest.approx(393.91, abs=0.005)


def test_six_defectors_among_six_image_scorers_are_bistable() -> None:
    fitness, defects, survives = mixed(SCORER, DEFECTOR, 6, 6000)
    share = (survives & defects).sum(axis=1) / 6
    assert (share.min(), share.max()) == (0, 1)
    assert fitness[defects].mean() == pytest.approx(12.72, rel=0.03)
    assert fitness[~defects].mean() == pytest.approx(12.19, rel=0.03)
    assert share.mean() == pytest.approx(0.53, abs=0.03)


@pytest.mark.parametrize(("kind", "mean", "tolerance"), [(GIVER, 319.0, 0.03), (JUDGE, 268, 0.03), (SCORER, 148, 0.08)])
def test_forgiving_judges_bear_errors_better_than_image_scorers(kind: int, mean: float, tolerance: float) -> None:
    fitness, _, _ = mixed(kind, DEFECTOR, 0, 400, error_rate=0.05)
    assert fitness.mean() == pytest.approx(mean, rel=tolerance)


def shown_mean(turn: Turn, c: dict[str, NDArray], first: float) -> NDArray[np.float64]:
    known = ~np.isnan(c["trace_shares"])
    total = np.where(known, c["trace_shares"], 0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(1, known.sum(axis=1)), first)


@pytest.mark.parametrize("first", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("drift", [0.02, -0.02])
def test_a_steady_drift_has_no_tipping_point(first: float, drift: float) -> None:
    game = gives(lambda turn, c: np.clip(np.where(c["round"] == 1, first, shown_mean(turn, c, first) + drift), 0, 1))
    rounds = [np.mean(events(r, "donated")["share"]) for r in records(society(game, ONE))][:12]
    assert np.sign(rounds[-1] - rounds[0]) == np.sign(drift)
    assert (np.sign(np.diff(rounds)) * np.sign(drift) >= 0).all()


@pytest.mark.parametrize(("first", "end"), [(0.44, 0), (0.47, 0), (0.50, 1), (0.53, 1)])
def test_givers_who_exaggerate_tip_one_way_or_the_other(first: float, end: float) -> None:
    def share(turn: Turn, c: dict[str, NDArray]) -> NDArray[np.float64]:
        return np.clip(np.where(c["round"] == 1, first, 0.49 + 2 * (shown_mean(turn, c, first) - 0.49)), 0, 1)

    assert np.mean(events(records(society(gives(share), ONE))[11], "donated")["share"]) == end


def test_more_than_one_has_is_refused_and_not_clipped() -> None:
    def greedy(turn: Turn, seen: Observations) -> Actions:
        return Actions.one(turn, "donate", amount=seen["donor"]["resources"] * np.where(turn.agents % 2 == 0, 1.0001, 0.5))

    record = records(society(greedy, ONE), 1)[0]
    given_ = events(record, "donated")
    assert [x for a, x in zip(given_["actor"], given_["amount"], strict=True) if a % 2 == 0] == [0] * len(record.refusals)
    assert {r.reason for r in record.refusals} == {"amount is more than you have"}
    assert 0 < len(record.refusals) < 6


def test_two_hundred_bad_answers_all_end_in_a_gift_of_nothing() -> None:
    bad = [-1.0, np.nan, np.inf, 11.0, 1e300, -0.001, 10.000001]

    def rule(turn: Turn, seen: Observations) -> Actions:
        kind = turn.agents % 9
        acts = Actions.one(turn, "donate", turn.agents[kind < 7], amount=np.array(bad)[kind[kind < 7]])
        return acts.add(turn, "donate", np.repeat(turn.agents[kind == 8], 2), amount=0.0)

    rules = DonorRules(generations=1, rounds=6)
    found = records(society(rule, rules, groups=6), 6)
    given_ = [events(record, "donated") for record in found]
    assert sum(len(g["actor"]) for g in given_) == 6 * 36 >= 200
    assert {x for g in given_ for x in g["amount"]} == {0.0}
    assert {r.reason for record in found for r in record.refusals} == {
        "one act a round", "amount is more than you have", "amount must be a number from 0 to 1e+300",
    }  # fmt: skip


def test_acts_that_the_rules_do_not_have_are_not_offered_and_refusal_is_remembered() -> None:
    assert [spec.name for spec in DonorGame(ONE).actions()] == ["state_strategy", "donate"]
    seen_shares: list[float] = []
    words: list[str] = []

    def rule(turn: Turn, seen: Observations) -> Actions:
        if turn.tick == 1:
            seen_shares.extend(seen["donor"]["trace_shares"][:, 0].tolist())
            words.extend(block.text for block in simulation.world["donor"].describe(seen, 0))
        return Actions.one(turn, "refuse")

    simulation = society(rule, DonorRules(generations=1, refusal=True, punishment=True))
    found = records(simulation, 2)
    assert np.isnan(seen_shares).all()
    assert len(events(found[0], "refused")["actor"]) == 6
    assert any("refused to play with" in text for text in words)


def test_punishing_is_counted_and_costs_both() -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        return Actions.one(turn, "punish", amount=seen["donor"]["resources"] * 0.1)

    simulation = society(rule, DonorRules(generations=1, punishment=True))
    found = records(simulation)
    assert found[-1].measures["donor.punishment_rate"] == 1
    assert found[-1].measures["donor.donation"] == 0
    assert found[0].measures["donor.wealth"] == pytest.approx((6 * 9 + 6 * 8) / 12)


class Writers(RuleMind):
    """Write a strategy when asked; give by a share that stands in the strategy. Newcomers add a tenth to the best they were shown."""

    hears = True

    def __init__(self) -> None:
        super().__init__(self.play, strategy=self.write)
        self.inherited: dict[int, list[str]] = {}
        self.admitted: list[int] = []
        self.trust: set[Trust] = set()
        self.heard: list[tuple[str, int, int]] = []

    def begin(self, world: object) -> None:
        self.world = world

    def admit(self, agents: NDArray[np.int64]) -> None:
        self.admitted += agents.tolist()

    def notice(self, events: Sequence[News]) -> None:
        for news in events:
            self.heard += [(news.kind, int(a), int(w)) for a, r in zip(news.actors, news.recipients or [], strict=True) for w in r]

    def write(self, turn: Turn, seen: Observations) -> Actions:
        texts: list[str] = []
        for row, agent in enumerate(turn.agents.tolist()):
            shown = [text for text in seen["donor"]["inherited"][row].tolist() if text]
            self.inherited[agent] = shown
            blocks = self.world["donor"].describe(seen, row)
            self.trust |= {block.trust for block in blocks if block.text in shown}
            best = max(map(float, shown), default=(agent % 12) / 20 - 0.1)
            texts.append(str(round(best + 0.1, 3)))
        return Actions.one(turn, "state_strategy", text=np.array(texts, object))

    def play(self, turn: Turn, seen: Observations) -> Actions:
        share = np.array([min(1.0, float(text)) for text in seen["donor"]["strategy"]])
        return Actions.one(turn, "donate", amount=share * seen["donor"]["resources"])


def test_the_richest_half_survives_and_hands_its_strategies_to_newcomers_for_generations() -> None:
    rules = DonorRules(generations=3, selection="reputation", inherit=("mind", "line"))
    mind = Writers()
    world = society(mind.play, rules, 2, written=True, mind=mind, name=np.array([f"1_{i}" for i in range(24)], object), line=np.arange(24))
    found = records(world)
    table = world.world.population["player"]
    assert len(found) == rules.ticks and len(table) == 2 * (12 + 6 + 6)
    assert world.world.population.ids().tolist() == sorted(
        a for g in range(2) for a in world.world["donor"].seats[g].tolist()
    )  # fmt: skip
    assert [len(mind.inherited[a]) for a in (0, 24, 36)] == [0, 6, 6]
    assert mind.trust == {Trust.AGENT}
    assert mind.admitted == list(range(48))
    assert table["name"][24:30].tolist() == [f"2_{k}" for k in range(1, 7)]
    generous = set(range(6, 12))  # reputation keeps those who gave most
    assert set(table["line"][24:30].tolist()) <= generous
    last = found[-1].measures
    assert (last["donor.mutation_bias"] > 0).all() and (last["donor.selection_differential"] > 0).all()
    assert np.isnan(found[23].measures["donor.mutation_bias"]).all()
    assert found[-1].ended.tolist() == [0, 1]
    assert all(actor == who for kind, actor, who in mind.heard if kind in ("donor.stated", "donor.scored"))


def test_a_gift_is_heard_by_the_two_who_met_and_by_nobody_else() -> None:
    mind = Writers()
    mind.rules = {}
    simulation = society(mind.play, ONE, mind=mind)
    simulation.world.population["player"]["strategy"][:] = "0.5"
    record = records(simulation, 1)[0]
    pairs = {(a, w) for kind, a, w in mind.heard if kind == "donor.donated"}
    given_ = events(record, "donated")
    assert pairs == {(a, w) for a, r in zip(given_["actor"], given_["recipient"], strict=True) for w in (a, r)}
    assert len(mind.heard) == 12


def test_the_price_equation_holds_over_an_engine_generation() -> None:
    """Givers of a fixed part; newcomers take over their parent's part and shift it by a known step."""
    rules = DonorRules(generations=2, inherit=("mind", "part", "origin"))
    part = np.tile(np.linspace(0.1, 0.9, 12), 8)
    simulation = society(
        gives(lambda turn, c: simulation.world.population.get(turn.agents, "part")), rules, 8, part=part, origin=np.arange(96)
    )
    records(simulation, rules.generation_ticks)
    table, present = simulation.world.population["player"], simulation.world.population.ids()
    new = present[present >= 96]
    table["part"][new] += 0.05
    lines, parts = table["origin"][present], table["part"][present]
    offspring = np.bincount(lines, minlength=96)
    passed = np.bincount(lines, parts, 96) / np.maximum(1, offspring)
    terms = price(offspring.reshape(8, 12).astype(float), part.reshape(8, 12), passed.reshape(8, 12))
    after = np.bincount(simulation.world.population.get(present, "group"), parts) / 12
    assert terms.total == pytest.approx(after - part.reshape(8, 12).mean(axis=1), abs=1e-9)
    assert (offspring > 0).sum() == 48


def test_selection_at_random_keeps_everyone_alike_and_equals_are_drawn() -> None:
    kept = np.zeros(12)
    for selection in ("random", "top"):
        rules = DonorRules(generations=1, selection=selection, keep_acts=False)
        scored = next(e for e in records(society(gives(lambda turn, c: 0.5), rules, 400))[-1].events if e.kind == "donor.scored")
        kept = np.bincount(scored.actors % 12, scored.data["survives"], 12)
        assert kept.sum() == 2400
        assert ((kept - 200) ** 2 / 100).sum() < 31.3  # chi-square over 11 degrees of freedom, p = .001


def test_pairs_may_be_shared_out_in_any_way(same_however_shared: Callable[..., None]) -> None:
    def rule(turn: Turn, seen: Observations) -> Actions:
        draw = turn.random("gift").uniform(turn.agents)
        fines = draw < 0.2
        amount = draw * seen["donor"]["resources"]
        return Actions.one(turn, "donate", turn.agents[~fines], amount=amount[~fines]).add(
            turn, "punish", turn.agents[fines], amount=amount[fines]
        )

    same_however_shared(lambda: society(rule, DonorRules(generations=2, rounds=6, punishment=True, error_rate=0.1), 3))


def test_a_saved_society_goes_on_as_if_nothing_had_happened(same_after_loading: Callable[..., None]) -> None:
    def build() -> Simulation:
        mind = Writers()
        return society(mind.play, DonorRules(generations=3, rounds=6, agents=6), 2, written=True, mind=mind)

    for ticks in (5, 12, 17):
        same_after_loading(build, ticks)


def test_newcomers_from_outside_watch_until_they_fill_a_table_of_their_own() -> None:
    acts: list[list[int]] = []

    def rule(turn: Turn, seen: Observations) -> Actions:
        acts.append(turn.agents.tolist())
        return Actions.one(turn, "donate", amount=seen["donor"]["resources"] * 0.5)

    simulation = society(rule, DonorRules(agents=6, rounds=6, generations=1))
    simulation.interventions += [
        Intervention(1, "population.admit", {"kind": "player", "size": 5, "group": 1}),
        Intervention(2, "population.admit", {"kind": "player", "size": 2, "group": [0, 1]}),
    ]
    simulation.run_sync(4)
    assert [len(a) for a in acts] == [3, 3, 6, 6]
    assert not any(11 in agents for agents in acts)
    assert simulation.world["donor"].round.tolist() == [4, 2]


def test_who_left_does_not_survive() -> None:
    def rich(turn: Turn, c: dict[str, NDArray]) -> NDArray[np.float64]:
        return np.where(turn.agents == 0, 0.0, 0.5)

    stays = records(society(gives(rich), ONE))[-1]
    simulation = society(gives(rich), ONE)
    simulation.interventions.append(Intervention(20, "population.leave", {"agents": [0]}))
    for record, survives in ((stays, True), (records(simulation)[-1], False)):
        scored = next(e for e in record.events if e.kind == "donor.scored")
        assert scored.data["survives"][scored.actors == 0].tolist() == [survives]


def test_words_never_tell_how_many_rounds_there_are() -> None:
    texts: list[list[str]] = []

    def rule(turn: Turn, seen: Observations) -> Actions:
        if turn.tick == 2:
            texts.append([block.text for block in simulation.world["donor"].describe(seen, 0)])
        return Actions.one(turn, "donate", amount=seen["donor"]["resources"] * 0.25)

    simulation = society(rule, ONE, name=np.array([f"1_{i}" for i in range(12)], object))
    simulation.world["donor"].wording = DonorWording(rules="Gifts are worth $multiplier times; you begin with $endowment.")
    simulation.run_sync(3)
    assert texts[0][0] == "Gifts are worth 2 times; you begin with 10."
    assert texts[0][1].startswith("Generation 1, round 3: 1_") and "12.5" not in texts[0][0]
    assert len(texts[0]) == 4 and all("gave 25 % of what it had to 1_" in text for text in texts[0][2:])


def test_what_cannot_be_played_is_refused() -> None:
    for wrong in (
        {"agents": 7}, {"rounds": 13}, {"survivors": 1}, {"links": 4}, {"error_rate": 2}, {"selection": "luck"}, {"endowment": 0},
    ):  # fmt: skip
        with pytest.raises(UsageError):
            DonorRules(**wrong)
    with pytest.raises(UsageError, match="seats 12 of kind 'player' in each group; group 1 has 3"):
        Simulation(Population.of("player", 15, group=np.arange(15) // 12), [DonorGame()], [RuleMind(gives(lambda t, c: 0))], Rounds([], 1))
