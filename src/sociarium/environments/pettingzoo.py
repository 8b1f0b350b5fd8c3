"""PettingZoo's view of a simulation: whoever trains outside plays one group of any environment. Needs the extra ``rl``.

``parallel_env(build)`` is for phases in which all decide at once, ``aec_env(build)`` for turns one after another (and for both).
``build(seed)`` gives a simulation; its own minds are set aside, and each present agent of ``group`` becomes a player.

Observations are flat vectors of the numeric columns that an agent sees, in order of environment and column (``env.columns`` names
them); columns of text are left out, and what is missing (nan: nothing played yet) is 0, for a space holds no nan. An action with
one argument is that argument's space; with more, a ``Dict``; where several
actions exist, a ``Dict`` of ``action`` (which one; the last number is none) and the arguments of each. Private text is sent empty.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions, ActionSpec, Argument, Choice, Flag, Integer, Number, Text, Vector
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind, Transitions
from sociarium.kernel.simulation import Simulation
from sociarium.kernel.turn import Lanes, Observations, Turn

try:
    from gymnasium import spaces
    from pettingzoo import AECEnv, ParallelEnv  # pyright: ignore[reportMissingTypeStubs]
except ImportError as missing:
    raise UsageError("the PettingZoo bridge needs PettingZoo and Gymnasium: pip install 'sociarium[rl]'") from missing

Build = Callable[[int], Simulation]
Vectors = NDArray[np.float64]
Info = dict[str, Any]


def parallel_env(build: Build, group: int = 0, *, seed: int = 0) -> ParallelPlay:
    """A ParallelEnv. Raises UsageError where a turn is not everybody's, or an action takes words that others read."""
    return ParallelPlay(build, group, seed)


def aec_env(build: Build, group: int = 0, *, seed: int = 0) -> SequentialPlay:
    """An AECEnv. Where several decide in one turn they are asked one after another, and none sees what another did."""
    return SequentialPlay(build, group, seed)


class _Handed:
    """Awaited by the players' mind: hands the turn out of the simulation, and the actions in."""

    def __init__(self, turn: Turn, seen: Observations) -> None:
        self.asked = (turn, seen)

    def __await__(self) -> Generator[tuple[Turn, Observations], Actions, Actions]:
        return (yield self.asked)


class _Players(Mind):
    """Decides what comes from outside, and sums rewards."""

    def __init__(self, group: int) -> None:
        self.group = group
        self.rewards: dict[int, float] = {}

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        return await _Handed(turn, seen) if turn.offers else Actions()

    def learn(self, steps: Transitions) -> None:
        for agent, reward in zip(steps.agents.tolist(), steps.rewards.tolist(), strict=True):
            self.rewards[agent] = self.rewards.get(agent, 0.0) + reward


class Episode:
    """One play of one group, from decision to decision."""

    def __init__(self, build: Build, group: int, seed: int) -> None:
        self.simulation = build(seed)
        world = self.simulation.world
        if not 0 <= group < world.groups:
            raise UsageError(f"there is no group {group}; groups are numbered 0 to {world.groups - 1}")
        world.active[np.arange(world.groups) != group] = False
        self.group = group
        self.mind = _Players(group)
        self.simulation.minds.all[:] = [self.mind]
        self.simulation.sharing = _together
        everyone = world.population.ids()
        self.agents: list[int] = everyone[world.population.get(everyone, "group") == group].tolist()
        self.turn: Turn | None = None
        self.seen: Observations | None = None
        self._running: Coroutine[Any, Any, bool] | None = None
        self.go_on(None)

    @property
    def ended(self) -> bool:
        return self.turn is None

    @property
    def terminated(self) -> bool:
        """The group came to its end by itself; else the schedule cut it off."""
        return self.ended and not bool(self.simulation.world.active[self.group])

    def go_on(self, actions: Actions | None) -> None:
        """To the next turn in which something is on offer, or the end."""
        while True:
            if self._running is None:
                self._running, actions = self.simulation.step(), None
            try:
                self.turn, self.seen = self._running.send(actions)
            except StopIteration as done:
                self._running = None
                if not done.value:
                    self._look_back()
                    return
            else:
                return

    def _look_back(self) -> None:
        """What the players see at the end: as in their last turn, of the world as it is now."""
        if self.turn is not None:
            self.seen = self.simulation.world.observe(self.turn)
        self.turn = None

    def observations(self) -> dict[int, Vectors]:
        """Agent to vector, for all of the last turn."""
        if self.seen is None:
            return {}
        columns = [np.asarray(part[name]) for part in self.seen.parts.values() for name in part if _numeric(part[name])]
        rows = len(self.seen.turn.agents)
        table = [np.nan_to_num(np.asarray(column, np.float64), nan=0.0).reshape(rows, -1) for column in columns]
        together = np.concatenate(table, axis=1) if table else np.zeros((rows, 0))
        return dict(zip(self.seen.turn.agents.tolist(), together, strict=True))

    def columns(self) -> tuple[str, ...]:
        """The name of each number of a vector."""
        if self.seen is None:
            return ()
        names: list[str] = []
        for environment, part in self.seen.parts.items():
            for name, values in part.items():
                if _numeric(values):
                    size = int(np.prod(np.shape(values)[1:]))
                    full = f"{environment}.{name}"
                    names += [full] if np.ndim(values) == 1 else [f"{full}.{at}" for at in range(size)]
        return tuple(names)

    def decide(self, chosen: Mapping[int, Any], specs: tuple[ActionSpec, ...]) -> None:
        """Play what the agents of this turn chose. What is not on offer now the world refuses."""
        if self.turn is None:
            return
        actions = Actions()
        for number, spec in enumerate(specs):
            takers = [a for a in self.turn.agents.tolist() if a in chosen and (len(specs) == 1 or int(chosen[a]["action"]) == number)]
            if takers and self.turn.offered(spec.full):
                values = [chosen[a] if len(specs) == 1 else chosen[a][spec.full] for a in takers]
                actions.add(self.turn, spec.full, np.array(takers, np.int64), **_columns(spec, values))
        self.go_on(actions)

    def specs(self) -> tuple[ActionSpec, ...]:
        """All actions of all phases, each once."""
        phases = getattr(self.simulation.schedule, "phases", ())
        found = {spec.full: spec for phase in phases for spec in self.simulation.world.offers(phase)}
        if not found:
            raise UsageError("nothing is ever on offer in this simulation: there is nothing to play")
        return tuple(found.values())


class _Play:
    """What both interfaces share: names, spaces, and the episode."""

    def __init__(self, build: Build, group: int, seed: int) -> None:
        self._build, self._group, self._seed = build, group, seed
        self.render_mode = None
        self._start(seed)
        self.columns = self.episode.columns()
        self.possible_agents = [f"agent_{agent}" for agent in self.episode.agents]
        self.specs = self.episode.specs()
        view = spaces.Box(-np.inf, np.inf, (len(self.columns),), np.float64)
        self.observation_spaces: dict[str, Any] = dict.fromkeys(self.possible_agents, view)
        self.action_spaces: dict[str, Any] = {agent: _space(self.specs) for agent in self.possible_agents}
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> Any:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        return self.action_spaces[agent]

    def render(self) -> None:
        """Nothing is drawn."""

    def close(self) -> None:
        """Nothing is held."""

    def _start(self, seed: int | None) -> None:
        self._seed = self._seed + 1 if seed is None else seed
        self.episode = Episode(self._build, self._group, self._seed)
        self._views: dict[str, Vectors] = {}
        self._look()

    def _look(self) -> None:
        self._views |= {f"agent_{agent}": row for agent, row in self.episode.observations().items()}

    def _view(self, agent: str) -> Vectors:
        return self._views.get(agent, np.zeros(len(self.columns))).copy()

    def _rewards(self) -> dict[str, float]:
        given, self.episode.mind.rewards = self.episode.mind.rewards, {}
        return {agent: given.get(_number(agent), 0.0) for agent in self.agents}

    def _gone(self, agent: str) -> bool:
        present = self.episode.simulation.world.population.get(np.array([_number(agent)]), "present")
        return self.episode.terminated or not bool(present[0])


class ParallelPlay(_Play, ParallelEnv[str, Any, Any]):
    """All decide at once: one step, one turn."""

    metadata: dict[str, Any] = {"name": "sociarium_parallel", "render_modes": []}  # noqa: RUF012 - as PettingZoo declares it

    def reset(self, seed: int | None = None, options: Info | None = None) -> tuple[dict[str, Any], dict[str, Info]]:
        self._start(seed)
        self.agents = list(self.possible_agents)
        return {agent: self._view(agent) for agent in self.agents}, {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Info]]:
        turn = self.episode.turn
        if turn is not None and (missing := {*self.agents} - {f"agent_{agent}" for agent in turn.agents.tolist()}):
            raise UsageError(f"in phase {turn.phase.name!r} it is not the turn of {sorted(missing)[0]}: play it by aec_env")
        self.episode.decide({_number(agent): action for agent, action in actions.items()}, self.specs)
        self._look()
        out = (
            {agent: self._view(agent) for agent in self.agents},
            self._rewards(),
            {agent: self._gone(agent) for agent in self.agents},
            {agent: self.episode.ended and not self._gone(agent) for agent in self.agents},
            {agent: Info() for agent in self.agents},
        )
        self.agents = [agent for agent in self.agents if not (self.episode.ended or self._gone(agent))]
        return out


class SequentialPlay(_Play, AECEnv[str, Any, Any]):
    """One after another. Rewards come at the end of a tick."""

    metadata: dict[str, Any] = {"name": "sociarium_aec", "render_modes": [], "is_parallelizable": False}  # noqa: RUF012 - as there

    def reset(self, seed: int | None = None, options: Info | None = None) -> None:
        self._start(seed)
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: Info() for agent in self.agents}
        self._chosen: dict[int, Any] = {}
        self._select()

    def observe(self, agent: str) -> Vectors:
        return self._view(agent)

    def step(self, action: Any) -> None:
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[agent] = 0.0
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._chosen[_number(agent)] = action
        turn = self.episode.turn
        if turn is not None and len(self._chosen) == len(self._movers(turn)):
            self.episode.decide(self._chosen, self.specs)
            self._chosen = {}
            self._look()
            self.rewards = self._rewards()
            for each in self.agents:
                self.terminations[each] = self._gone(each)
                self.truncations[each] = self.episode.ended and not self.terminations[each]
        self._accumulate_rewards()
        self._select()

    def _movers(self, turn: Turn) -> list[str]:
        return [name for agent in turn.agents.tolist() if (name := f"agent_{agent}") in self.agents]

    def _select(self) -> None:
        """The next of this turn who has not chosen; at the end, anyone."""
        turn = self.episode.turn
        waiting = [] if turn is None else [name for name in self._movers(turn) if _number(name) not in self._chosen]
        self.agent_selection = waiting[0] if waiting else self.agents[0]


def _together(lanes: Lanes) -> list[Lanes]:
    """All lanes in one play, so that the simulation runs from turn to turn with no event loop."""
    return [lanes] if len(lanes) else []


def _number(agent: str) -> int:
    return int(agent.removeprefix("agent_"))


def _numeric(values: Any) -> bool:
    return np.asarray(values).dtype.kind in "biuf"


def _space(specs: tuple[ActionSpec, ...]) -> Any:
    if len(specs) == 1:
        return _spec_space(specs[0])
    parts: dict[str, Any] = {spec.full: _spec_space(spec) for spec in specs}
    return spaces.Dict({"action": spaces.Discrete(len(specs) + 1), **parts})


def _spec_space(spec: ActionSpec) -> Any:
    parts: dict[str, Any] = {name: _argument_space(spec, name, argument) for name, argument in _open(spec).items()}
    if not parts:
        return spaces.Discrete(1)
    return next(iter(parts.values())) if len(parts) == 1 else spaces.Dict(parts)


def _open(spec: ActionSpec) -> dict[str, Argument]:
    """The arguments that a player gives: all but private words."""
    return {name: argument for name, argument in spec.arguments.items() if not (isinstance(argument, Text) and argument.private)}


def _argument_space(spec: ActionSpec, name: str, argument: Argument) -> Any:
    if isinstance(argument, Integer):
        return spaces.Discrete(argument.high - argument.low + 1, start=argument.low)
    if isinstance(argument, Number):
        return spaces.Box(argument.low, argument.high, (), np.float64)
    if isinstance(argument, Choice):
        return spaces.Discrete(len(argument.options))
    if isinstance(argument, Flag):
        return spaces.Discrete(2)
    if isinstance(argument, Vector):
        return spaces.Box(argument.low, argument.high, (argument.length,), np.float64)
    raise UsageError(f"argument {name!r} of {spec.full} takes words: PettingZoo has no space for them")


def _columns(spec: ActionSpec, values: list[Any]) -> dict[str, Any]:
    """What was chosen, as columns."""
    given, columns = _open(spec), dict[str, Any]()
    for name, argument in spec.arguments.items():
        if name not in given:
            columns[name] = np.full(len(values), "", object)
            continue
        column = [value if len(given) == 1 else value[name] for value in values]
        if isinstance(argument, Choice):
            columns[name] = np.array([argument.options[int(at)] for at in column], object)
        else:
            columns[name] = np.asarray(column).astype(argument.dtype)
    return columns
