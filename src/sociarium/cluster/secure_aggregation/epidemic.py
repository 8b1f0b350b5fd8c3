"""The epidemic on sites: what agents send to agents elsewhere are whole fixed-point units of infectiousness; all else stays.

Each site steps its own agents by the law, the numbers and the habits of the one environment (``model.moved``, draws by agent and day),
so the trajectory of all sites is that of an ``Epidemic`` with all agents, bit for bit. Every contact is sent something every day,
also by those who are not infectious: traffic tells nothing about who is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sociarium.cluster.secure_aggregation.field import SCALE, Ints
from sociarium.cluster.wire import pack, unpack
from sociarium.environments.epidemic.disease import Disease, Duration, Stage
from sociarium.environments.epidemic.engines import grown
from sociarium.environments.epidemic.epidemic import Epidemic
from sociarium.environments.epidemic.layers import Layer, Worlds, contacts_of, meetings
from sociarium.environments.epidemic.model import EpidemicState, Flows, Mask, People, draws, emitted, moved
from sociarium.environments.epidemic.strategies import Habits
from sociarium.kernel.errors import UsageError
from sociarium.kernel.randomness import Randomness

Floats = NDArray[np.float64]
STATISTICS = ("cases", "dying", "susceptible", "exposed", "infectious", "recovered")  # of each world, whole numbers
OPENED = "sociarium.cluster.secure_aggregation.epidemic:opened"
EVERYONE = -2  # receives what is sent to a whole world; one number a layer and world, downwards


@dataclass(frozen=True, slots=True)
class Ties:
    """One layer as a site has it: contacts of its own agents (position among them -> number of the other), or how they are drawn."""

    weight: float
    sources: Ints
    targets: Ints
    drawn: int = 0
    mixed: bool = False
    name: str = ""
    at_home: bool = False
    needs: Mask | None = None  # own agents who take part
    workers: bool = False  # only who works takes part


class EpidemicSite:
    """The agents of one site, ascending, out of ``everyone``. ``sizes``: agents in each world. ``habits``: what agents decide by (isolation
    and work); None where nobody decides anything. ``phase`` names the phase of the schedule whose numbers they draw."""

    def __init__(
        self,
        agents: ArrayLike,
        people: People,
        state: EpidemicState,
        ties: Sequence[Ties],
        disease: Disease,
        *,
        seed: int,
        sizes: ArrayLike,
        habits: Habits | None = None,
        phase: str = "day",
    ) -> None:
        self.agents = np.asarray(agents, np.int64)
        self.people, self.ties, self.disease = people, tuple(ties), disease
        self.seed, self.sizes, self.habits, self.phase = seed, np.asarray(sizes, np.int64), habits, phase
        self.everyone, self.first = int(self.sizes.sum()), state
        if any(tie.drawn for tie in self.ties) and len(self.sizes) > 1:
            raise UsageError("contacts that are drawn anew each day are drawn in one world only: a site does not know who is in which")
        self.isolated_send = True
        self._begin()

    @property
    def own(self) -> Ints:
        """A number an own agent and layer of contacts, and one a world and layer in which everyone meets everyone."""
        numbers = [np.empty(0, np.int64)]
        for layer, tie in enumerate(self.ties):
            numbers.append(self._worlds(layer) if tie.mixed else layer * self.everyone + self.agents)
        return np.concatenate(numbers)

    def outgoing(self, step: int) -> tuple[Ints, Ints]:
        """Today's contacts with agents elsewhere, each with the units of infectiousness sent there; and sums for whole worlds."""
        self._decide()
        recipients, messages = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        self._kept: list[Ints] = []  # what own agents send one another, a row a layer
        for layer, tie in enumerate(self.ties):
            sent = emitted(self.state_now, self.disease, tie.weight, self._sends(tie)).astype(np.int64)
            if tie.mixed:
                summed = np.zeros(len(self.sizes), np.int64)
                np.add.at(summed, self.people.group, sent)
                recipients.append(self._worlds(layer))
                messages.append(summed)
                self._kept.append(np.zeros(len(self.agents), np.int64))
                continue
            sources, targets = self._contacts(tie)
            place = np.minimum(np.searchsorted(self.agents, targets), len(self.agents) - 1)
            here = self.agents[place] == targets
            kept = np.zeros(len(self.agents), np.int64)
            np.add.at(kept, place[here], sent[sources[here]])
            self._kept.append(kept)
            recipients.append(layer * self.everyone + targets[~here])
            messages.append(sent[sources[~here]])
        return np.concatenate(recipients), np.concatenate(messages)

    def advance(self, step: int, received: Ints) -> None:
        """The day, from what all sites sent."""
        size, at = len(self.agents), 0
        units, mixed = np.zeros(size, np.int64), np.zeros(size)
        for tie, kept in zip(self.ties, self._kept, strict=True):
            receives = self._receives(tie)
            if tie.mixed:
                share = received[at : at + len(self.sizes)] / (self.disease.scale * np.maximum(self.sizes, 1))
                mixed += share[self.people.group] if receives is None else np.where(receives, share[self.people.group], 0.0)
                at += len(self.sizes)
                continue
            sums = kept + received[at : at + size]
            units += sums if receives is None else np.where(receives, sums, 0)
            at += size
        exposure, day = units * (1 / self.disease.scale) + mixed, self.state_now.day
        hazard = self.disease.receptivity(day)[self.people.trait] * exposure
        plain = replace(self.disease, reproduction=(1.0,)) if self.disease.areas == 1 else None
        susceptible = self.state_now.stage == Stage.SUSCEPTIBLE
        if plain is not None:
            slopes = plain.receptivity(day)[self.people.trait] * exposure * np.exp(-hazard)
            self.slope = int(np.rint(SCALE * slopes[susceptible]).astype(np.int64).sum())
        drawn = draws(Randomness(self.seed), day)
        self.state_now, self.flows = moved(
            self.state_now, hazard, self.people, self.disease, lambda name, rows: drawn(name, self.agents[rows])
        )

    def statistics(self) -> Floats:
        """``STATISTICS``, one row a world, as one row of numbers."""
        groups, stage = len(self.sizes), self.state_now.stage
        dying = self.flows.left[self.flows.stages == Stage.INFECTIOUS]
        counts = [np.bincount(self.people.group[who], minlength=groups) for who in (self.flows.infected, dying)]
        counts += [np.bincount(self.people.group[stage == each], minlength=groups) for each in range(4)]
        return np.stack(counts, axis=1).astype(np.float64).reshape(-1)

    def hear(self, step: int, common: Floats) -> None:
        """Yesterday's cases in each world, which agents may decide by."""
        self.cases = np.asarray(common, np.float64).reshape(len(self.sizes), -1)[:, 0]

    def restart(self, disease: Disease) -> None:
        """Back to the first day, under another disease."""
        self.disease = disease
        self._begin()

    def state(self) -> dict[str, Any]:
        now = self.state_now
        decided = {"isolating": self.isolating, "working": self.working, "cases": self.cases}
        weeks = [list(np.atleast_1d(week)) for week in self.disease.reproduction]
        return {
            "day": now.day,
            "stage": now.stage,
            "until": now.until,
            "infected": now.infected,
            "deaths": now.deaths,
            "weeks": weeks,
            **decided,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        parts = (np.array(state[name]) for name in ("stage", "until", "infected", "deaths"))
        self.state_now = EpidemicState(int(state["day"]), *parts)
        self.isolating, self.working, self.cases = (np.array(state[name]) for name in ("isolating", "working", "cases"))
        self.disease = replace(self.disease, reproduction=_weeks(state["weeks"]))

    def save(self, path: Path) -> Path:
        """All that a process of this site needs, to a file that stays with it; ``opened`` reads it."""
        people = {"trait": self.people.trait, "group": np.array(self.people.group), "agents": self.agents, "sizes": self.sizes}
        first = {name: getattr(self.first, name) for name in ("day", "stage", "until", "infected", "deaths")}
        ties = [{one.name: getattr(tie, one.name) for one in fields(Ties)} for tie in self.ties]
        habits = None if self.habits is None else asdict(self.habits)
        rest = {"disease": asdict(self.disease), "seed": self.seed, "habits": habits, "phase": self.phase, "send": self.isolated_send}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pack({"people": people, "first": first, "ties": ties, **rest}))
        return path

    def _begin(self) -> None:
        self.state_now = self.first
        self.isolating, self.working = np.zeros(len(self.agents), np.bool_), np.ones(len(self.agents), np.bool_)
        self.cases = np.zeros(len(self.sizes))
        self.flows, self.slope = Flows(np.empty(0, np.int64), np.empty(0, np.int64)), 0

    def _decide(self) -> None:
        """As ``strategies.by_habit`` does in a simulation, by the same numbers."""
        if self.habits is None:
            return
        day, random = self.state_now.day, Randomness(self.seed)

        def drawn(name: str) -> Floats:
            return random.stream(f"habit.{name}", day, self.phase, 0).uniform(self.agents)

        self.isolating = drawn("isolate") < self.habits.stays(self.cases, self.sizes)[self.people.group]
        self.working = drawn("work") < self.habits.work

    def _contacts(self, tie: Ties) -> tuple[Ints, Ints]:
        if not tie.drawn:
            return tie.sources, tie.targets
        layer = Layer(name=tie.name, weight=tie.weight, drawn=tie.drawn)
        alike = People.alike(self.everyone)
        met = contacts_of(layer, self.agents, alike, Worlds(alike), meetings(Randomness(self.seed), self.state_now.day, layer))
        return np.searchsorted(self.agents, met.sources), met.targets

    def _worlds(self, layer: int) -> Ints:
        return EVERYONE - (layer * len(self.sizes) + np.arange(len(self.sizes), dtype=np.int64))

    def _sends(self, tie: Ties) -> Mask | None:
        masks = [] if tie.needs is None else [tie.needs]
        masks += [self.working] if tie.workers else []
        masks += [~self.isolating] if not self.isolated_send and not tie.at_home else []
        return np.logical_and.reduce(masks) if masks else None

    def _receives(self, tie: Ties) -> Mask | None:
        masks = [] if tie.needs is None else [tie.needs]
        masks += [self.working] if tie.workers else []
        masks += [] if tie.at_home else [~self.isolating]
        return np.logical_and.reduce(masks) if masks else None


def sites_of(
    epidemic: Epidemic, where: ArrayLike, *, seed: int, habits: Habits | None = None, phase: str = "day"
) -> dict[str, EpidemicSite]:
    """The agents of an epidemic as it stands, dealt out to sites: ``where`` names the site of each, (agents,), numbers from 0.

    ``seed``: of the simulation. ``habits``: those of its ``by_habit`` minds. Of the actions only isolation and work are decided on sites:
    UsageError for others, and for layers that are closed.
    """
    if more := sorted(set(epidemic.rules.actions) - {"isolate", "work"}):
        raise UsageError(f"on sites agents may isolate and work; {more[0]!r} is not among what they decide there")
    if epidemic.closed:
        raise UsageError(f"layer {sorted(epidemic.closed)[0]!r} is closed: sites have no operator, so leave it out instead")
    people, site_of = epidemic.people(), np.asarray(where, np.int64)
    if site_of.shape != epidemic.stage.shape:
        raise UsageError(f"where has {len(site_of)} numbers for {len(epidemic.stage)} agents: give the site of each")
    sizes = np.bincount(people.group, minlength=people.groups)
    found: dict[str, EpidemicSite] = {}
    for number in range(int(site_of.max()) + 1):
        own = np.flatnonzero(site_of == number).astype(np.int64)
        mine = People(np.asarray(people.trait)[own], np.array(people.group)[own], people.groups)
        state = EpidemicState(
            epidemic.day, epidemic.stage[own], epidemic.until[own], epidemic.infected[own], np.zeros(people.groups)
        )  # deaths are counted in common
        ties = [_ties(epidemic, layer, own) for layer in epidemic.layers]
        site = EpidemicSite(own, mine, state, ties, epidemic.disease, seed=seed, sizes=sizes, habits=habits, phase=phase)
        site.isolated_send = epidemic.rules.isolated_send
        found[f"site-{number}"] = site
    return found


def opened(path: str) -> EpidemicSite:
    """What ``EpidemicSite.save`` kept. For ``run_processes`` a site is ``(OPENED, {"path": ...})``."""
    kept: dict[str, Any] = unpack(Path(path).read_bytes())
    people: dict[str, Any] = kept["people"]
    first: dict[str, Any] = kept["first"]
    known: dict[str, Any] = {name: _plural(value) for name, value in kept["disease"].items()}
    for name in ("exposed", "infectious", "immune"):
        known[name] = Duration(**known[name])
    known["reproduction"] = _weeks(known["reproduction"])
    disease = Disease(**known)
    site = EpidemicSite(
        people["agents"],
        People(people["trait"], people["group"], len(people["sizes"])),
        EpidemicState(**first),
        [Ties(**tie) for tie in kept["ties"]],
        disease,
        seed=int(kept["seed"]),
        sizes=people["sizes"],
        habits=None if kept["habits"] is None else Habits(**kept["habits"]),
        phase=kept["phase"],
    )
    site.isolated_send = bool(kept["send"])
    return site


def _ties(epidemic: Epidemic, layer: Layer, own: Ints) -> Ties:
    sources = targets = np.empty(0, np.int64)
    if layer.network is not None:
        network = grown(layer, len(epidemic.stage)).network
        assert network is not None
        counts = np.asarray(network.starts[own + 1] - network.starts[own], np.int64)
        sources = np.repeat(np.arange(len(own), dtype=np.int64), counts)
        targets = np.concatenate([np.empty(0, np.int64), *(network.targets[network.starts[i] : network.starts[i + 1]] for i in own)])
        targets = targets.astype(np.int64)
    workers = layer.needs == "working" and "work" in epidemic.rules.actions
    needs = None
    if layer.needs is not None and not workers:
        needs = np.asarray(epidemic.world.population.get(own, layer.needs), np.bool_)
    return Ties(layer.weight, sources, targets, layer.drawn, layer.mixed, layer.name, layer.at_home, needs, workers)


def _plural(value: Any) -> Any:
    """Lists are what tuples become on the way."""
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def _weeks(values: Sequence[Any]) -> tuple[float | tuple[float, ...], ...]:
    return tuple(tuple(map(float, week)) if np.size(week) > 1 else float(np.reshape(week, -1)[0]) for week in values)
