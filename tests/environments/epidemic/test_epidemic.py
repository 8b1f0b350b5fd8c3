"""The environment: its contract, what agents do in it, what operators do to it, and what is measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sociarium.environments.epidemic.disease import Disease, Duration, Stage
from sociarium.environments.epidemic.engines import engine_for
from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.epidemic.layers import Layer
from sociarium.environments.epidemic.model import NEVER, Behaviour, EpidemicState, People
from sociarium.environments.epidemic.plain import PlainEngine
from sociarium.environments.epidemic.reproduction import estimated, expected_emission, weights
from sociarium.environments.epidemic.rules import ACTIONS, EpidemicRules
from sociarium.environments.epidemic.strategies import Habits, by_habit
from sociarium.kernel.actions import Actions
from sociarium.kernel.errors import UsageError
from sociarium.kernel.network import Network
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.randomness import Randomness
from sociarium.kernel.records import TickRecord
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Observations, Phase, Turn
from sociarium.minds.rule import Rule, RuleMind, always, nothing
from sociarium.testing import admission_test, environment_test, fork_test, leak_audit, same_ticks, seed_test, ticks_of
from sociarium.testing.fuzz import FuzzMind
from sociarium.testing.leaks import LeakReport

DAY = [Phase("day", "epidemic")]
HABITS = Habits(isolate=0.2, caution=3, work=0.7, vaccinate=0.05)


def within_groups(size: int, groups: int, contacts: int, seed: int = 1) -> Network:
    g, each = np.random.default_rng(seed), size // groups
    offset = each * np.repeat(np.arange(groups), each * contacts // 2)
    a, b = g.integers(0, each, (2, len(offset)))
    return Network.from_edges(size, a + offset, b + offset, mutual=True)


def town(seed: int = 7, *, rule: Rule | None = None, size: int = 60, days: int = 14, **rules: Any) -> Simulation:
    """Three worlds: homes, work that needs workers, a school for one in three; all actions."""
    g = np.random.default_rng(1)
    people = Population.of(
        "person",
        size,
        group=np.arange(size) // (size // 3),
        age_class=g.integers(0, 9, size),
        area=np.arange(size) % 2,
        pupil=np.arange(size) % 3 == 0,
    )
    layers = [
        Layer(name="home", network=within_groups(size, 3, 4), at_home=True),
        Layer(name="work", drawn=3, needs="working"),
        Layer(name="school", mixed=True, weight=3.0, needs="pupil"),
    ]
    given = {"actions": ACTIONS, "initial": 0.2, "counted_by": ("area", "age_class"), **rules}
    epidemic = Epidemic(Disease(reproduction=((5.0, 4.0), (3.0, 9.0))), layers, EpidemicRules(**given))
    mind = FuzzMind(3) if rule is None else RuleMind(rule)
    return Simulation(people, [epidemic], [mind], Rounds(DAY, days), seed=seed)


def village(
    rule: Rule = nothing,
    *,
    size: int = 400,
    days: int = 30,
    disease: Disease | None = None,
    layers: Sequence[Layer] | None = None,
    interventions: Sequence[Intervention] = (),
    seed: int = 1,
    **rules: Any,
) -> Simulation:
    """One world with 6 contacts each."""
    known = layers if layers is not None else [Layer(name="friends", network=within_groups(size, 1, 6))]
    epidemic = Epidemic(disease, known, EpidemicRules(**rules))
    people = Population.of("person", size)
    return Simulation(people, [epidemic], [RuleMind(rule)], Rounds(DAY, days), seed=seed, interventions=interventions)


def of(simulation: Simulation) -> Epidemic:
    found = simulation.world["epidemic"]
    assert isinstance(found, Epidemic)
    return found


def run(simulation: Simulation, ticks: int | None = None) -> list[TickRecord]:
    records: list[TickRecord] = []
    simulation.on_tick.append(records.append)
    simulation.run_sync(ticks)
    return records


def cases(records: Sequence[TickRecord]) -> list[int]:
    return [int(record.measures["epidemic.cases"].sum()) for record in records]


def test_it_keeps_the_contract_of_environments() -> None:
    newcomers = {"age_class": [1, 2, 3], "area": [0, 1, 0], "pupil": [True, False, True]}
    environment_test(town)
    admission_test(town, values=newcomers)
    fork_test(town, after=5)
    seed_test(lambda seed: town(seed, rule=by_habit(HABITS)))


def test_nobody_is_told_what_is_hidden() -> None:
    simulation = town(rule=by_habit(HABITS))
    table = simulation.world.population["person"]
    table.add_column(Column("diagnosis", str, "", Visibility.HIDDEN), np.array([f"secret {n}" for n in range(len(table))], object))
    report = leak_audit(simulation)
    assert isinstance(report, LeakReport)
    assert report.looked > 100


def test_who_is_exposed_sees_what_the_susceptible_see() -> None:
    shown: list[tuple[Any, Observations]] = []

    def look(turn: Turn, seen: Observations) -> Actions:
        shown.append((of(simulation).stage.copy(), seen))
        return Actions()

    simulation = village(look, days=4, initial=0.3)
    run(simulation)
    stage, seen = shown[2]
    exposed, susceptible = np.flatnonzero(stage == Stage.EXPOSED)[0], np.flatnonzero(stage == Stage.SUSCEPTIBLE)[0]
    assert of(simulation).describe(seen, int(exposed)) == of(simulation).describe(seen, int(susceptible))
    assert all(column[exposed] == column[susceptible] for column in seen["epidemic"].values())
    text = of(simulation).describe(seen, int(susceptible))[1].text
    assert "Day 2" in text
    assert f"{int(seen['epidemic']['cases'][0])} new cases" in text


@pytest.mark.parametrize("engine", ["push", "auto"])
def test_compiled_engines_live_the_same_life(engine: str) -> None:
    pytest.importorskip("numba")
    plain = ticks_of(town(rule=by_habit(HABITS), engine="plain"))
    same_ticks(engine, plain, ticks_of(town(rule=by_habit(HABITS), engine=engine)))


@pytest.mark.parametrize("engine", ["push", "pull", "auto"])
def test_what_engines_keep_beside_the_state_follows_whatever_changes_it(engine: str) -> None:
    """Infection from outside, closures, newcomers and a state that is loaded: the same life as of an engine that keeps nothing."""

    def life(engine: str) -> tuple[Epidemic, list[int]]:
        disease = Disease.seirs(0.06, Duration(3, True), Duration(8, True), Duration(9, True))
        simulation = village(size=4500, days=40, disease=disease, engine=engine, initial=0.03)
        found, operated = run(simulation, 6), of(simulation)
        susceptible = np.flatnonzero(operated.stage == Stage.SUSCEPTIBLE)
        operated.infect(susceptible[::9].tolist())
        found += run(simulation, 5)
        operated.close("friends")
        found += run(simulation, 3)
        operated.reopen("friends")
        kept = {"agents": {name: values.copy() for name, values in operated.state()["agents"].items()}}
        found += run(simulation, 4)
        operated.load({**operated.state(), **kept})
        found += run(simulation, 6)
        simulation.inject("population.admit", kind="person", size=70, group=[0] * 70)
        found += run(simulation, 1)
        operated.infect(list(range(4500, 4570)))
        found += run(simulation, 12)
        return operated, cases(found)

    (wanted, story), (found, other) = life("plain"), life(engine)
    assert story == other
    assert min(story[-10:]) > 20, "it goes on"
    for name in ("stage", "until", "infected"):
        assert np.array_equal(getattr(wanted, name), getattr(found, name))
    assert set(found.stage[4500:]) - {Stage.SUSCEPTIBLE}, "newcomers have fallen ill and gone on"


def test_without_actions_or_isolation_it_is_the_model() -> None:
    simulation = village(days=12)
    first = of(simulation)
    engine = PlainEngine(People.alike(400), Disease(), first.layers)
    state = EpidemicState(0, first.stage.copy(), first.until.copy(), first.infected.copy(), np.zeros(1))
    wanted = []
    for day in range(12):
        state, flows = engine.step(state, Behaviour(), Randomness(1), day)
        wanted.append(len(flows.infected))
    records = run(simulation)
    assert cases(records) == wanted
    assert sum(wanted) > 20
    assert np.array_equal(of(simulation).stage, state.stage)
    assert records[-1].measures["epidemic.deaths"][0] == pytest.approx(float(state.deaths[0]))


def test_isolation_shields_and_with_both_directions_it_also_protects_others() -> None:
    assert sum(cases(run(village(always("isolate", on=True))))) == 0
    sick_stay: Rule = lambda turn, seen: Actions.one(turn, "isolate", on=seen["epidemic"]["ill"])  # noqa: E731
    let, kept = (sum(cases(run(village(sick_stay, initial=0.02, isolated_send=sends)))) for sends in (True, False))
    assert kept < 0.7 * let


def test_contacts_at_home_go_on_in_isolation() -> None:
    home = [Layer(name="home", network=within_groups(400, 1, 6), at_home=True)]
    assert sum(cases(run(village(always("isolate", on=True), layers=home)))) > 50


def test_who_does_not_work_meets_nobody_at_work() -> None:
    work = [Layer(name="work", drawn=6, needs="working")]
    busy = sum(cases(run(village(always("work", on=True), layers=work, actions=("work",)))))
    idle = sum(cases(run(village(always("work", on=False), layers=work, actions=("work",)))))
    assert busy > 100
    assert idle == 0


def test_vaccination_protects_after_its_delay() -> None:
    simulation = village(always("vaccinate", on=True), actions=("vaccinate",), disease=Disease(protection=1.0), vaccine_delay=8, days=14)
    records = run(simulation)
    new = cases(records)
    assert sum(new[:8]) > 0
    assert sum(new[8:]) == 0
    assert records[-1].measures["epidemic.protected"][0] == 400
    refused = sum(len(record.refusals) for record in records[1:])
    assert refused >= 400, "a second dose is refused"


def test_tests_find_at_their_rates_and_quarantine_is_kept_and_broken_at_its() -> None:
    size = 20_000
    told: list[tuple[Any, ...]] = []

    def rule(turn: Turn, seen: Observations) -> Actions:
        columns = seen["epidemic"]
        told.append(tuple(np.array(columns[name]) for name in ("quarantined", "complying", "result")))
        actions = by_habit(Habits())(turn, seen)
        if turn.tick == 1:
            actions.tables.pop("epidemic.test", None)
            return actions.add(turn, "test", turn.agents, on=True)
        if "epidemic.test" in actions.tables:
            actions.tables.pop("epidemic.test")
        return actions

    layers = [Layer(name="town", drawn=1, weight=0.0)]
    simulation = village(rule, size=size, layers=layers, actions=("test", "comply"), initial=0.3, days=18)
    carries = of(simulation).stage != Stage.SUSCEPTIBLE
    records = run(simulation)
    assert [int(record.measures["epidemic.tests"][0]) for record in records[:3]] == [0, size, 0]
    results = told[5][2]
    assert (told[4][2] == -1).all(), "three days later"
    for who, rate in ((carries, 0.8), (~carries, 0.3)):
        assert abs((results[who] == 1).mean() - rate) < 4 * math.sqrt(rate * (1 - rate) / who.sum())
    positive = results == 1
    assert (told[5][0] == positive).all(), "a positive test orders quarantine"
    assert [told[day][0].any() for day in (4, 5, 16, 17)] == [False, True, True, False], "for twelve days"
    began = told[6][1][positive].mean()
    assert abs(began - 0.7) < 0.02
    kept = told[7][1][positive & told[6][1]].mean()
    assert abs(kept - 0.9) < 0.02
    assert not told[7][1][~positive].any()


def test_quarantine_that_is_kept_stops_both_directions() -> None:
    def rule(keeps: bool) -> Rule:
        return lambda turn, seen: Actions.one(turn, "test", on=turn.tick == 0).add(turn, "comply", turn.agents, on=keeps)

    infected: list[int] = []
    for keeps in (False, True):
        simulation = village(
            rule(keeps),
            actions=("test", "comply"),
            true_positive=1.0,
            false_positive=0.0,
            test_delay=0,
            quarantine=30,
            initial=0.02,
            days=20,
        )
        infected.append(sum(cases(run(simulation))[1:]))
    assert infected[0] > 20
    assert infected[1] <= infected[0] // 10, "all who carried it on the first day are known and apart"


def test_operators_close_layers_infect_and_change_reproduction() -> None:
    closing = [Intervention(5, "epidemic.close", {"layer": "friends"}), Intervention(9, "epidemic.reopen", {"layer": "friends"})]
    plain, closed = cases(run(village(initial=0.1, days=14))), cases(run(village(initial=0.1, days=14, interventions=closing)))
    assert closed[:5] == plain[:5]
    assert closed[5:9] == [0, 0, 0, 0]
    assert sum(closed[9:]) > 0
    ends = [Intervention(7, "epidemic.set_reproduction", {"reproduction": [0.0]})]
    stopped = cases(run(village(initial=0.1, days=14, interventions=ends)))
    assert stopped[:7] == plain[:7]
    assert sum(stopped[7:]) == 0
    imported = village(initial=0.0, days=8, interventions=[Intervention(2, "epidemic.infect", {"agents": [3, 4, 4]})])
    records = run(imported)
    assert [int(record.measures["epidemic.total"][0]) for record in records[:3]] == [0, 0, 2 + cases(records)[2]]
    with pytest.raises(UsageError, match="no layer"):
        run(village(days=2, interventions=[Intervention(0, "epidemic.close", {"layer": "pub"})]))
    with pytest.raises(UsageError, match="agents 0 to"):
        run(village(days=2, interventions=[Intervention(0, "epidemic.infect", {"agents": [400]})]))


def test_a_counterfactual_differs_only_after_its_day() -> None:
    """Common random numbers: with identical seeds nothing differs before (large-population-models, line 6)."""
    base = run(village(initial=0.05, days=20))
    changed = run(village(initial=0.05, days=20, interventions=[Intervention(9, "epidemic.set_reproduction", {"reproduction": 1.0})]))
    assert cases(base)[:9] == cases(changed)[:9]
    assert sum(cases(base)) > sum(cases(changed))


def test_a_world_ends_when_its_epidemic_is_over() -> None:
    records = run(village(disease=Disease(reproduction=(0.0,)), ends=True, days=40))
    assert len(records) == 11, "six days exposed and five infectious"
    assert records[-1].ended.tolist() == [0]


def test_new_cases_are_counted_by_area_and_age() -> None:
    records = run(town(rule=by_habit(HABITS)))
    for record in records:
        rows = [event for event in record.events if event.kind == "epidemic.counted"]
        counted = sum(int(event.data["cases"].sum()) for event in rows)
        assert counted == cases([record])[0]
    died = sum(float(event.data["deaths"].sum()) for record in records for event in record.events if event.kind == "epidemic.counted")
    assert died == pytest.approx(float(records[-1].measures["epidemic.deaths"].sum()))


def test_the_reproduction_number_is_that_of_a_growing_epidemic() -> None:
    """Renewal equation: cases that grow with a constant R give that R back; so does a large mixed epidemic at its start."""
    shares = weights(Disease())
    past = [100.0]
    for _ in range(60):
        past.append(1.7 * sum(w * past[-1 - k] for k, w in enumerate(shares[: len(past)])))
    before = np.array([past[-1 - len(shares) : -1]])
    assert estimated(np.array([past[-1]]), before, shares)[0] == pytest.approx(1.7)
    disease = Disease(reproduction=(2.0 / 0.5006,), susceptibility=(1.0,), interactions=(1.0,))
    simulation = village(size=30_000, disease=disease, layers=[Layer(name="all", mixed=True)], initial=0.01, days=22)
    found = [float(record.measures["epidemic.reproduction"][0]) for record in run(simulation)]
    assert math.isnan(found[0]) or found[0] == pytest.approx(0, abs=10)
    assert np.mean(found[12:16]) == pytest.approx(2.0 * 0.95, rel=0.1)


def test_expected_infectiousness_of_geometric_stages_is_the_mean_of_many() -> None:
    disease = Disease.seirs(0.2, Duration(3, drawn=True), Duration(4, drawn=True))
    sent = expected_emission(disease)
    assert sent.sum() == pytest.approx(4 * -math.log(0.8), rel=1e-6)
    assert sent[0] == 0
    assert sent[1] == pytest.approx(-math.log(0.8) / 3)


def test_a_mixed_epidemic_nears_its_own_daily_map_as_the_root_of_its_size() -> None:
    """Error against the deterministic map falls as N^(-1/2): slope -.5 +- .1 (large-population-models, line 11)."""
    disease = Disease(reproduction=(2.5 / 0.5006,), susceptibility=(1.0,), interactions=(1.0,))
    days, share, sizes, worlds = 20, 0.02, (1000, 10_000, 50_000), 40
    sent, new, left = expected_emission(disease), [share], 1 - share
    for _ in range(days):
        pressure = sum(sent[k] * new[-1 - k] for k in range(min(len(sent), len(new))))
        new.append(left * (1 - math.exp(-disease.reproduction[0] * pressure)))  # type: ignore[operator]
        left -= new[-1]
    errors = []
    for size in sizes:
        group = np.repeat(np.arange(worlds), size)
        first = np.tile(np.arange(size) < round(share * size), worlds)
        people = Population.of("person", worlds * size, group=group, first=first)
        rules = EpidemicRules(actions=(), initial="first", engine="plain")
        epidemic = Epidemic(disease, [Layer(name="all", mixed=True)], rules)
        simulation = Simulation(people, [epidemic], [RuleMind(nothing)], Rounds([], days), seed=size)
        total = run(simulation)[-1].measures["epidemic.total"] / size
        errors.append(math.sqrt(np.mean((total - (1 - left)) ** 2)))
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert abs(slope + 0.5) < 0.1


def test_what_people_lack_is_said() -> None:
    with pytest.raises(UsageError, match="no action 'flee'"):
        EpidemicRules(actions=("flee",))
    with pytest.raises(UsageError, match="needs a column 'first'"):
        village(initial="first")
    people = Population.of("person", 10, age_class=np.full(10, 9))
    simulation = Simulation(people, [Epidemic(None, [Layer(name="a", drawn=1)])], [RuleMind(nothing)], Rounds(DAY, 2))
    with pytest.raises(UsageError, match="classes 0 to 8"):
        simulation.run_sync()
    with pytest.raises(UsageError, match="there is no engine"):
        EpidemicRules(engine="warp")  # type: ignore[arg-type]
    engine = engine_for(People.alike(10), Disease(), [], EpidemicRules())
    assert isinstance(engine, PlainEngine), "few agents need no compiled kernels"


def test_reset_begins_anew_in_some_worlds_only() -> None:
    simulation = town(rule=by_habit(HABITS))
    run(simulation, 8)
    epidemic = of(simulation)
    before = epidemic.stage.copy()
    simulation.world.reset(np.array([1]))
    middle = np.arange(60) // 20 == 1
    assert np.array_equal(epidemic.stage[~middle], before[~middle])
    assert set(epidemic.stage[middle].tolist()) <= {int(Stage.SUSCEPTIBLE), int(Stage.EXPOSED)}
    assert (epidemic.infected[middle & (epidemic.stage == Stage.SUSCEPTIBLE)] == NEVER).all()
    assert epidemic.total[1] == int((epidemic.stage[middle] == Stage.EXPOSED).sum()) > 0
    run(simulation)
