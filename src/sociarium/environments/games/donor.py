"""The iterated donor game in many societies at once, with reputation, punishment, and generations that hand on their strategies.

A group is a society; a tick is a round; a pair is a lane. Phase ``strategy`` (where the schedule has one) lets newcomers write the
strategy they live by; every other phase that the game leads is a round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment, first_rows, names_of, positions
from sociarium.environments.games.generations import Generation, next_generation, seated
from sociarium.environments.games.pairing import Traces, donor_schedule, swap_roles
from sociarium.environments.games.price import mutation_bias, selection_differential
from sociarium.environments.games.rules import DonorRules, DonorWording
from sociarium.kernel.actions import Actions, ActionSpec, ActionTable, Number, Text, action
from sociarium.kernel.content import Block, Content, Layer, said
from sociarium.kernel.environment import AgentIds, Events, Groups, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.population import Column, Visibility
from sociarium.kernel.turn import Lanes, Moment, Observations, Phase, Turn
from sociarium.kernel.world import World

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STRATEGY = "strategy"
ACTS = ("donate", "punish", "refuse")
KINDS = ("donated", "punished", "refused")


class DonorGame(ColumnarEnvironment):
    """Societies side by side, one a group. A *place* is a seat at the game: place p of group g has the number g * agents + p."""

    name: ClassVar[str] = "donor"

    round: Ints  # rounds played in this generation, both games, (groups,)
    generation: Ints  # from 1, (groups,)
    played: Bools  # in this tick, (groups,)
    seats: Ints  # agents by place, (groups, agents)
    wealth: Floats  # units, (groups, agents)
    score: Floats  # units at the end of the first game, (groups, agents)
    given: Floats  # summed parts given in this generation, (groups, agents)
    punishments: Ints  # acts of punishment, (groups, agents)
    trace_donors: Ints  # what is known about each place: numbers of places, (groups, agents, links)
    trace_recipients: Ints
    trace_shares: Floats  # part of its resources; below 0 where spent on punishing; nan where refused
    survivors: Ints  # agents that came from the generation before; -1 in the first, (groups, surviving)
    results: Floats  # of the last generation: see RESULTS, (groups, 5)
    seat: Ints  # number of the place; -1 where not playing, (agents,)
    born: Ints  # generation, (agents,)

    RESULTS: ClassVar[tuple[str, ...]] = ("resources", "donation", "punishment_rate", "selection_differential", "mutation_bias")

    def __init__(self, rules: DonorRules | None = None, wording: DonorWording | None = None) -> None:
        self.rules = rules = rules or DonorRules()
        self.wording = wording or DonorWording()
        seats, links = (rules.agents,), (rules.agents, rules.links)
        self.group_cells = {
            "round": Cells(np.int64),
            "generation": Cells(np.int64, 1),
            "played": Cells(np.bool_, False),
            "seats": Cells(np.int64, -1, seats),
            "wealth": Cells(np.float64, rules.endowment, seats),
            "score": Cells(np.float64, 0.0, seats),
            "given": Cells(np.float64, 0.0, seats),
            "punishments": Cells(np.int64, 0, seats),
            "trace_donors": Cells(np.int64, -1, links),
            "trace_recipients": Cells(np.int64, -1, links),
            "trace_shares": Cells(np.float64, np.nan, links),
            "survivors": Cells(np.int64, -1, (rules.surviving,)),
            "results": Cells(np.float64, np.nan, (len(self.RESULTS),)),
        }
        self.agent_cells = {"seat": Cells(np.int64, -1), "born": Cells(np.int64, 1)}
        first = donor_schedule(rules.agents, rules.rounds, released_order=rules.released_schedule)
        self._plan = np.concatenate([first, swap_roles(first)])  # (2 * rounds, pairs, 2)
        self._pair, self._gives, self._partner = _by_place(self._plan)

    def reset(self, world: World, groups: Groups) -> None:
        built = hasattr(self, "seats")
        table = world.population[self.rules.kind]
        if STRATEGY not in table:
            table.add_column(Column(STRATEGY, str, "", Visibility.OWN, doc="what the player lives by, in its own words"))
        super().reset(world, groups)
        if not built and (self.seats[:, 0] < 0).any():
            group = int(np.argmax(self.seats[:, 0] < 0))
            count = int(np.count_nonzero(self.group_of(world.population.ids(self.rules.kind)) == group))
            wanted = f"{self.rules.agents} of kind {self.rules.kind!r} in each group"
            raise UsageError(f"the donor game seats {wanted}; group {group} has {count}")

    def begin(self, groups: Groups) -> None:
        """Seat the groups that have just enough players."""
        players = self.world.population.ids(self.rules.kind)
        full = groups[np.bincount(self.group_of(players), minlength=self.world.groups)[groups] == self.rules.agents]
        self._seat(full, players[np.isin(self.group_of(players), full)])

    def admit(self, agents: AgentIds) -> None:
        """Newcomers from outside watch, until they fill a table of their own: a group that has no game yet."""
        super().admit(agents)
        if len(empty := np.flatnonzero(self.seats[:, 0] < 0)):
            self.begin(empty)

    def actions(self) -> tuple[ActionSpec, ...]:
        off = {"punish": not self.rules.punishment, "refuse": not self.rules.refusal}
        return tuple(spec for spec in super().actions() if not off.get(spec.name, False))

    def lanes(self, phase: Phase, awake: AgentIds, moment: Moment) -> Lanes:
        """In a round a pair is a lane; while strategies are written, a group."""
        players = awake[self.seat[awake] >= 0]
        if phase.name == STRATEGY:
            groups = self.group_of(players)
            return super().lanes(phase, players[(self.born[players] == self.generation[groups]) & (self.round[groups] == 0)], moment)
        groups, place = np.divmod(self.seat[players], self.rules.agents)
        pairs = self._pair[self.round[groups], place]
        return Lanes.by(moment, players, groups * (self.rules.agents // 2) + pairs)

    def turn(self, phase: Phase, lanes: Lanes) -> Turn | None:
        others = [spec.full for spec in lanes.moment.offers if spec.environment != self.name]
        if phase.name == STRATEGY:
            return None if lanes.played.all() else lanes.turn(offers=[f"{self.name}.state_strategy", *others])
        groups, place = np.divmod(self.seat[lanes.agents], self.rules.agents)
        waiting = np.repeat(lanes.played == 0, np.diff(lanes.starts))
        gives = self._gives[self.round[groups], place] & waiting
        if not gives.any():
            return None
        return lanes.turn(lanes.agents[gives], lanes.lane_of()[gives], offers=[*(f"{self.name}.{act}" for act in ACTS), *others])

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """gives, resources, partner, partner_resources, generation, round, game, strategy (own), and what is known about the partner:
        trace_donors, trace_recipients (ids, -1 where there is none), trace_shares (rows, links). While strategies are written also
        inherited: texts of the survivors (rows, survivors)."""
        seat = self.seat[turn.agents]
        groups, place = np.divmod(np.maximum(seat, 0), self.rules.agents)
        now = np.minimum(self.round[groups], len(self._plan) - 1)
        partner = groups * self.rules.agents + self._partner[now, place]
        ids, wealth = self.seats.ravel(), self.wealth.ravel()
        strategies = self.world.population.get(turn.agents, STRATEGY)
        seen: dict[str, Array] = {
            "gives": self._gives[now, place] & (seat >= 0),
            "resources": wealth[seat],
            "partner": ids[partner],
            "partner_resources": wealth[partner],
            "generation": self.generation[groups],
            "round": now % self.rules.rounds + 1,
            "game": now // self.rules.rounds + 1,
            "strategy": strategies,
            "trace_shares": self.trace_shares[groups, self._partner[now, place]],
        }
        for name, known in (("trace_donors", self.trace_donors), ("trace_recipients", self.trace_recipients)):
            chain = known[groups, self._partner[now, place]]
            seen[name] = np.where(chain >= 0, ids[chain], -1)
        if turn.phase.name == STRATEGY:
            elders = self.survivors[groups]
            texts = self.world.population.get(np.maximum(elders, 0).ravel(), STRATEGY).reshape(elders.shape)
            seen["inherited"] = np.where(elders >= 0, texts, "")
            seen["survivors"] = elders
        return seen

    def describe(self, seen: Observations, row: int) -> Content:
        columns, rules = seen[self.name], self.rules
        given = {"multiplier": rules.multiplier, "endowment": rules.endowment}
        blocks = [Block(self.wording.say("rules", **given), origin=self.name, layer=Layer.SHARED)]
        if seen.turn.phase.name == STRATEGY:
            elders = columns["survivors"][row]
            known = np.flatnonzero(elders >= 0)
            blocks.append(Block(self.wording.say("later" if len(known) else "first", **given), origin=self.name))
            names = names_of(self.world.population, elders[known])
            blocks += [said(str(columns["inherited"][row][at]), name) for at, name in zip(known, names, strict=True)]
            return tuple(block for block in blocks if block.text)
        me, partner = names_of(self.world.population, np.array([seen.turn.agents[row], columns["partner"][row]]))
        places = {name: columns[name][row] for name in ("strategy", "generation", "round", "partner_resources", "resources")}
        places |= {"name": me, "partner": partner}
        if places["strategy"]:
            blocks.append(Block(self.wording.say("strategy", **places), origin=me, layer=Layer.STABLE))
        blocks.append(Block(self.wording.say("act", **places), origin=self.name))
        links = [Block(text, origin=self.name) for text in self._links(columns, row)]
        blocks += links or [Block(self.wording.say("unknown", **places), origin=self.name)]
        return tuple(block for block in blocks if block.text)

    @action("Write the strategy you will live by.", text=Text(doc="your strategy"))
    def state_strategy(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        first = first_rows(table.agents)
        outcome = Outcome()
        if not first.all():
            outcome.refuse(f"{self.name}.state_strategy", table.agents[~first], "one strategy in a life")
            table = table.where(first)
        self.world.population.set(table.agents, STRATEGY, table["text"])
        outcome.events.append(Events("stated", table.agents, {"text": table["text"]}, "own"))
        return outcome

    @action("Give to your partner, who receives a multiple of it.", amount=Number(0, doc="at most what you have", unit="units"))
    def donate(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome | None:
        """Carried out by ``apply``."""

    @action("Spend on punishing your partner, who loses a multiple of it.", amount=Number(0, doc="at most what you have", unit="units"))
    def punish(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome | None:
        """Carried out by ``apply``."""

    @action("Refuse to play with this partner.")
    def refuse(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome | None:
        """Carried out by ``apply``."""

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        if turn.phase.lead != self.name:
            return Outcome()
        tables = actions.of(self.name)
        if turn.phase.name == STRATEGY:
            return self.state_strategy(turn, seen, tables[f"state_{STRATEGY}"]) if f"state_{STRATEGY}" in tables else Outcome()
        outcome = Outcome()
        act, amount = self._acts(turn.agents, tables, outcome)
        if self.rules.error_rate:
            slips = turn.random("error").uniform(turn.agents) < self.rules.error_rate
            act, amount = np.where(slips, 0, act), np.where(slips, 0.0, amount)
        donors = self.seat[turn.agents]
        groups, place = np.divmod(donors, self.rules.agents)
        recipients = groups * self.rules.agents + self._partner[self.round[groups], place]
        self.played[groups] = True
        share = self._pay(donors, recipients, act, amount, outcome)
        self._remember(donors, recipients, np.select([act == 1, act == 2], [-share, np.nan], share))
        receivers = self.seats.ravel()[recipients]
        for code, kind in enumerate(KINDS):
            if (rows := np.flatnonzero(act == code)).size:
                data = {"recipient": receivers[rows], "amount": amount[rows], "share": share[rows]}
                both = list(np.stack([turn.agents[rows], receivers[rows]], axis=1))
                outcome.events.append(
                    Events(kind, turn.agents[rows], data, "some", both, lanes=turn.lanes[rows], kept=self.rules.keep_acts)
                )
        return outcome

    def advance(self, to: int) -> Outcome | None:
        """The end of a round; after the last of a game everyone starts afresh, and after the second game a new generation comes."""
        groups = np.flatnonzero(self.played & self.world.active)
        if not len(groups):
            return None
        self.played[groups] = False
        self.round[groups] += 1
        half = groups[self.round[groups] == self.rules.rounds]
        self.score[half] = self.wealth[half]
        self._afresh(half)
        done = groups[self.round[groups] == 2 * self.rules.rounds]
        return self._next(done) if len(done) else None

    def measures(self) -> Mapping[str, Array]:
        """generation, wealth (mean units now), and of the last whole generation: resources (mean final units), donation (mean part given
        an encounter), punishment_rate, selection_differential, mutation_bias; nan before there is one."""
        last = {name: self.results[:, at].copy() for at, name in enumerate(self.RESULTS)}
        return {"generation": self.generation.copy(), "wealth": self.wealth.mean(axis=1), **last}

    def _acts(self, agents: AgentIds, tables: Mapping[str, ActionTable], outcome: Outcome) -> tuple[Ints, Floats]:
        """What each donor does, 0 donate, 1 punish, 2 refuse; who does nothing that is legal gives nothing."""
        act, amount, decided = np.zeros(len(agents), np.int64), np.zeros(len(agents)), np.zeros(len(agents), np.bool_)
        for code, name in enumerate(ACTS):
            if name not in tables:
                continue
            table, full = tables[name], f"{self.name}.{name}"
            rows = positions(agents, table.agents)
            again = ~first_rows(table.agents) | decided[rows]
            wanted = table.columns.get("amount", np.zeros(len(rows)))
            over = ~again & (wanted > self.wealth.ravel()[self.seat[table.agents]])
            for bad, reason in ((again, "one act a round"), (over, "amount is more than you have")):
                if bad.any():
                    outcome.refuse(full, table.agents[bad], reason)
            good = rows[~again & ~over]
            act[good], amount[good], decided[good] = code, wanted[~again & ~over], True
        return act, amount

    def _pay(self, donors: Ints, recipients: Ints, act: Ints, amount: Floats, outcome: Outcome) -> Floats:
        """Move the units; the part of its resources that each donor spent."""
        wealth = self.wealth.reshape(-1)  # a view: writing into it moves the units
        before = wealth[donors]
        gift, fine = np.where(act == 0, amount, 0.0), np.where(act == 1, amount, 0.0)
        had = wealth[recipients]
        wealth[donors] = before - amount
        wealth[recipients] = np.maximum(0.0, had + self.rules.multiplier * gift - self.rules.punishment_factor * fine)
        share = np.divide(amount, before, out=np.zeros(len(amount)), where=before > 0)
        self.given.reshape(-1)[donors] += np.where(act == 0, share, 0.0)
        self.punishments.reshape(-1)[donors] += act == 1
        ids = self.seats.ravel()
        outcome.rewards += [(ids[donors], -amount), (ids[recipients], wealth[recipients] - had)]
        return share

    def _remember(self, donors: Ints, recipients: Ints, shares: Floats) -> None:
        links = self.rules.links
        known = Traces(self.trace_donors.reshape(-1, links), self.trace_recipients.reshape(-1, links), self.trace_shares.reshape(-1, links))
        after = known.after(donors, recipients, shares)
        for mine, new in ((self.trace_donors, after.donors), (self.trace_recipients, after.recipients), (self.trace_shares, after.shares)):
            mine.reshape(-1, links)[donors] = new[donors]

    def _afresh(self, groups: Groups) -> None:
        for name in ("wealth", "trace_donors", "trace_recipients", "trace_shares"):
            getattr(self, name)[groups] = self.group_cells[name].fill

    def _next(self, groups: Groups) -> Outcome:
        seats, rounds = self.seats[groups].copy(), self.rules.rounds
        fitness = self.wealth[groups] if self.rules.released_score else (self.score[groups] + self.wealth[groups]) / 2
        donation = self.given[groups] / rounds  # each agent gives rounds / 2 times in each of two games
        present = self.world.population.get(seats.ravel(), "present").reshape(seats.shape)
        lived = Generation(groups, self.generation[groups], seats, fitness, donation, present)
        survive = lived.survivors(self.rules, self.world.randomness)
        self.results[groups] = self._results(lived, survive)
        data = {"fitness": fitness.ravel(), "donation": donation.ravel(), "survives": survive.ravel(), "born": self.born[seats.ravel()]}
        outcome = Outcome([Events("scored", seats.ravel(), data, "own", groups=np.repeat(groups, self.rules.agents))])
        over = self.generation[groups] >= self.rules.generations
        outcome.ended = groups[over] if over.any() else None
        going = groups[~over]
        if len(going):
            self.generation[going] += 1
            self.survivors[going] = seats[~over][survive[~over]].reshape(len(going), -1)
            elders = self.survivors[going]
            self.seat[seats[~over].ravel()] = -1
            new = next_generation(self.world, going, elders, seats[~over][~survive[~over]], self.generation[going], self.rules)
            self.born[new] = np.repeat(self.generation[going], self.rules.agents - self.rules.surviving)
            self.round[going], self.given[going], self.punishments[going] = 0, 0.0, 0
            self._afresh(going)
            self._seat(going, np.concatenate([elders.ravel(), new]))
        return outcome

    def _results(self, lived: Generation, survive: Bools) -> Floats:
        groups = lived.groups
        newcomer = self.born[lived.seats] == lived.generation[:, None]
        bias = np.full(len(groups), np.nan)
        if (mixed := (lived.generation > 1)).any():
            bias[mixed] = mutation_bias(lived.donation[mixed], newcomer[mixed])
        punished = self.punishments[groups].mean(axis=1) / self.rules.rounds
        chosen = selection_differential(lived.donation, survive)
        return np.stack([lived.fitness.mean(axis=1), lived.donation.mean(axis=1), punished, chosen, bias], axis=1)

    def _seat(self, groups: Groups, players: AgentIds) -> None:
        """Everyone at a place drawn by lot."""
        if not len(groups):
            return
        self.seats[groups] = seated(groups, players, self.group_of(players), self.generation, self.world.randomness)
        self.seat[self.seats[groups].ravel()] = (groups[:, None] * self.rules.agents + np.arange(self.rules.agents)).ravel()

    def _links(self, columns: Mapping[str, Array], row: int) -> list[str]:
        donors, shares = columns["trace_donors"][row], columns["trace_shares"][row]
        known = np.flatnonzero(donors >= 0)
        givers = names_of(self.world.population, donors[known])
        takers = names_of(self.world.population, columns["trace_recipients"][row][known])
        texts: list[str] = []
        for share, donor, recipient in zip(shares[known].tolist(), givers, takers, strict=True):
            template = "refused" if np.isnan(share) else "punished" if share < 0 else "gave"
            part = 0.0 if np.isnan(share) else round(abs(share) * 100, 1)
            texts.append(self.wording.say(template, donor=donor, recipient=recipient, share=part))
        return texts


def _by_place(plan: Ints) -> tuple[Ints, Bools, Ints]:
    """From rounds of pairs to rounds of places: number of the pair, whether the place gives, and the place it meets."""
    rounds, pairs, _ = plan.shape
    pair, partner = np.empty((rounds, 2 * pairs), np.int64), np.empty((rounds, 2 * pairs), np.int64)
    gives = np.zeros((rounds, 2 * pairs), np.bool_)
    row: Ints = np.arange(rounds, dtype=np.int64).reshape(-1, 1)
    for side in (0, 1):
        pair[row, plan[:, :, side]] = np.arange(pairs)
        partner[row, plan[:, :, side]] = plan[:, :, 1 - side]
    gives[row, plan[:, :, 0]] = True
    return pair, gives, partner
