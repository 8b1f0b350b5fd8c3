"""S1: a model that obeys every text in its prompt, two hundred payloads, all scenarios: words change nothing but words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sociarium.environments.games.donor import STRATEGY
from sociarium.environments.interview import Interview, Question
from sociarium.kernel.actions import Actions, ActionTable, Integer, Text, action
from sociarium.kernel.content import said
from sociarium.kernel.environment import Environment, Events, Outcome
from sociarium.kernel.mind import Mind
from sociarium.kernel.population import Column, Population, Visibility
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Phase, TurnKind
from sociarium.minds.language import prompts
from sociarium.minds.language.act import Act, ActRules
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.persona import Persona
from sociarium.scenarios import catalogue
from sociarium.testing.errors import ConformanceError
from sociarium.testing.injection import injection_test
from sociarium.testing.obedient import payloads

SCENARIOS: dict[str, tuple[str, dict[str, Any]]] = {
    "govsim in words": ("govsim", {"lakes": 4, "max_rounds": 2, "pace": "paper", "embedder": "hashing", "answer": "answer"}),
    "govsim by schema": ("govsim", {"lakes": 12, "max_rounds": 2, "pace": "brief", "embedder": "hashing"}),
    "donor game in words": ("donor-game", {"agents": 24, "generations": 2, "rounds": 2, "answer": "answer", "punishment": True}),
    "donor game by schema": ("donor-game", {"agents": 24, "generations": 2, "rounds": 2, "answer": "schema", "refusal": True}),
    "guesses": ("agentscope", {"participants": 40, "rounds": 2, "answer": "steps"}),
    "guesses by persona": (
        "agentscope",
        {"participants": 40, "rounds": 2, "personas": "education", "system_prompt": 10, "answer": "schema"},
    ),
    "public opinion": ("posim", {"users": 40, "steps": 4, "background": 0.3, "awakenings": 300}),
}


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_words_change_nothing_but_words(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    slug, settings = SCENARIOS[name]
    scenario = catalogue.scenario(slug).of({**settings, "model": "scripted:schema"})
    offset = 33 * sorted(SCENARIOS).index(name)
    report = injection_test(
        lambda: scenario.build(1),
        offset=offset,
        shared=(STRATEGY,),  # heirs read strategies
        announced=("conversation.opened",),  # the moderator's report, by the world
        keep=("agent_type", "primed"),  # they name prompts, and are no words
        routes=("framework",),
    )
    assert sum(report.obeyed.values()) >= 50
    assert len(report.obeyed) == 200 or name != "govsim by schema", "one society at least meets the whole corpus"
    assert report.turns["malformed"] + report.turns["illegal"] > 0, "the worst replies must have been tried"
    assert not list(tmp_path.iterdir())


def test_the_corpus_is_whole() -> None:
    corpus = payloads()
    assert len(corpus) == len({payload.mark for payload in corpus}) == len({payload.text for payload in corpus}) == 200
    assert all(payload.text.startswith(payload.mark) and payload.wants for payload in corpus)
    assert len({payload.family for payload in corpus}) >= 14


class Market(Environment):
    """Posts are heard by all, and a few units may be paid."""

    name = "market"
    rules: Any = None

    def observe(self, turn: Any) -> dict[str, Any]:
        return {"posts": np.broadcast_to(len(self.posts), len(turn.agents))}

    def reset(self, world: Any, groups: Any) -> None:
        super().reset(world, groups)
        self.posts: list[tuple[int, str]] = []

    def describe(self, seen: Any, row: int) -> tuple[Any, ...]:
        return tuple(said(text, f"trader {who}") for who, text in self.posts[-20:])

    @action("Pay and post.", amount=Integer(0, 5), text=Text(longest=3000))
    def pay(self, turn: Any, seen: Any, table: ActionTable) -> Outcome:
        self.posts += list(zip(table.agents.tolist(), table["text"].tolist(), strict=True))
        return self.outcome(turn, table)

    def outcome(self, turn: Any, table: ActionTable) -> Outcome:
        return Outcome([Events("market.paid", table.agents, {"amount": table["amount"]})])


def society(environment: type[Market] = Market, mind: Callable[[], Mind] | None = None) -> Simulation:
    def talker() -> Mind:
        return LanguageMind([Persona(), Act(ActRules(actions=("market.pay",)))], prompts())

    population = Population.of("trader", 40, name=np.array([f"trader {at}" for at in range(40)], object))
    population["trader"].add_column(Column("role", str, "", Visibility.HIDDEN), np.array(["spy"] * 40, object))
    return Simulation(population, [environment()], [(mind or talker)()], Rounds((Phase("trade", "market"),), 3), seed=1)


def test_a_market_of_obedient_traders_holds() -> None:
    report = injection_test(society)
    assert len(report.obeyed) >= 40
    assert set(report.forms) == {"wanted", "worst", "copied", "twice"}


def surveyed(mind: Callable[[], Mind] | None = None) -> Simulation:
    """The market, and each round a survey among traders who have read the posts of all."""

    def talker() -> Mind:
        return LanguageMind(
            [Persona(), Act(ActRules(actions=("market.pay",))), Act(ActRules(actions=("interview.answer",)), name="say")], prompts()
        )

    population = Population.of("trader", 40, name=np.array([f"trader {at}" for at in range(40)], object))
    population["trader"].add_column(Column("role", str, "", Visibility.HIDDEN), np.array(["spy"] * 40, object))
    survey = Interview([Question("price", "What is a fair price?", ("three",)), Question("trust", "Whom do you trust?")])
    phases = (Phase("trade", "market"), Phase("survey", "interview", shows=("market",), offers=("answer",), kind=TurnKind.PROBE))
    return Simulation(population, [Market(), survey], [(mind or talker)()], Rounds(phases, 3), seed=1)


def test_answers_to_a_survey_are_words_and_move_nothing() -> None:
    """What obedient traders answer is kept, heard by nobody, and shifts neither the market nor the survey's scores of others."""
    answers: list[tuple[int, str]] = []
    report = injection_test(lambda: kept(surveyed(), answers))
    assert len(report.obeyed) >= 40
    assert len(answers) >= 40
    assert all(0 <= agent < 40 for agent, _ in answers)


def kept(simulation: Simulation, answers: list[tuple[int, str]]) -> Simulation:
    def keep(record: Any) -> None:
        for rows in record.events:
            if rows.kind == "interview.answered":
                answers.extend(zip(rows.actors.tolist(), rows.data["text"].tolist(), strict=True))

    simulation.on_tick.append(keep)
    return simulation


def test_an_environment_that_does_what_texts_say_in_anothers_name_is_caught() -> None:
    class Believing(Market):
        def outcome(self, turn: Any, table: ActionTable) -> Outcome:
            who = np.where([("obey" in text.lower() or "agent 0" in text) for text in table["text"]], 0, table.agents)
            return Outcome([Events("market.paid", who.astype(np.int64), {"amount": table["amount"]})])

    def build() -> Simulation:
        simulation = society(Believing)
        simulation.schedule = Rounds((Phase("trade", "market"),), 3)
        return simulation

    class Odd(Believing):
        def turn(self, phase: Any, lanes: Any) -> Any:
            made = super().turn(phase, lanes)
            return None if made is None else lanes.turn(lanes.agents[1:], lanes.lane_of()[1:])

    with pytest.raises(ConformanceError, match="reported as the act of agent 0"):
        injection_test(lambda: society(Odd))


def test_an_environment_that_lets_words_change_its_rules_is_caught() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Rules:
        fee: int = 1

    class Obeying(Market):
        def __init__(self) -> None:
            self.rules = Rules()

        def outcome(self, turn: Any, table: ActionTable) -> Outcome:
            if any("rules" in text.lower() for text in table["text"]):
                self.rules = Rules(0)
            return super().outcome(turn, table)

    with pytest.raises(ConformanceError, match=r"market.rules was changed"):
        injection_test(lambda: society(Obeying))


def test_an_environment_that_carries_out_a_file_name_is_caught(tmp_path: Path) -> None:
    class Writing(Market):
        def outcome(self, turn: Any, table: ActionTable) -> Outcome:
            (tmp_path / "posts.txt").write_text("\n".join(table["text"]), "utf-8", errors="replace")
            return super().outcome(turn, table)

    with pytest.raises(ConformanceError, match="outside the run"):
        injection_test(lambda: society(Writing))


def test_an_environment_that_shows_what_is_hidden_is_caught() -> None:
    class Showing(Market):
        def describe(self, seen: Any, row: int) -> tuple[Any, ...]:
            return (*super().describe(seen, row), said(str(self.world.population["trader"]["role"][0]), "trader 0"))

    with pytest.raises(ConformanceError, match="only agent 0 may know"):
        injection_test(lambda: society(Showing))


class Puppet(Mind):
    """A mind that hands on what it is told, unchecked."""

    paced = True

    def __init__(self, agents: Any = None, amount: int = 1) -> None:
        self.agents, self.amount = agents, amount

    def begin(self, world: Any) -> None:
        self.world = world

    async def decide(self, turn: Any, seen: Any) -> Actions:
        from sociarium.kernel.content import Block
        from sociarium.models.request import Request

        name = self.world.population["trader"]["name"][0]
        await turn.ask(0, Request((Block(str(name)),)), "act")
        agents = turn.agents if self.agents is None else np.array(self.agents)
        actions = Actions()
        text = np.array(["x"] * len(agents), object)
        actions.tables["market.pay"] = ActionTable(agents, {"amount": np.full(len(agents), self.amount), "text": text})
        return actions


@pytest.mark.parametrize(
    ("mind", "what"),
    [(lambda: Puppet(agents=[0, 777]), "in the name of agent 777"), (lambda: Puppet(amount=10**6), "as if it were legal: amount")],
)
def test_a_mind_that_acts_for_others_or_beyond_the_bounds_is_caught(mind: Callable[[], Mind], what: str) -> None:
    with pytest.raises(ConformanceError, match=what):
        injection_test(lambda: society(mind=mind))


def test_a_society_that_no_text_reaches_is_no_test() -> None:
    with pytest.raises(ConformanceError, match="no payload reached a prompt"):
        injection_test(lambda: society(mind=lambda: Silent()))


class Silent(Mind):
    async def decide(self, turn: Any, seen: Any) -> Actions:
        return Actions()
