"""Repeated matrix games: players choose at once, in pairs or everyone against everyone, and learn what the others did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sociarium.environments.columnar import Cells, ColumnarEnvironment, first_rows, names_of, positions
from sociarium.environments.games.matrix import MatrixGame, prisoners_dilemma
from sociarium.environments.wording import Wording
from sociarium.kernel.actions import Actions, ActionSpec, ActionTable, Choice, action, bounded
from sociarium.kernel.content import Block, Content, Layer
from sociarium.kernel.environment import AgentIds, Events, Groups, Outcome
from sociarium.kernel.errors import UsageError
from sociarium.kernel.turn import Lanes, Moment, Observations, Phase, Turn

Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MatchRules:
    """``meet``: ``pairs`` (in order of id, for ever), ``shuffled`` pairs (drawn anew in every tick) or ``everyone`` (one move against
    all others of the group, payoffs averaged; the game must be symmetric). In a pair the player with the lower id is the row player.
    With an odd number in a group one player sits out. Who does not move earns nothing, and neither does the partner."""

    meet: Literal["pairs", "shuffled", "everyone"] = "pairs"
    keep_moves: bool = True

    def __post_init__(self) -> None:
        if self.meet not in ("pairs", "shuffled", "everyone"):
            raise UsageError(f"meet is {self.meet!r}; it is pairs, shuffled or everyone")


@dataclass(frozen=True, slots=True)
class MatchWording(Wording):
    """Places: actions (their names), partner, round, and of the last round: own, other (the moves) and payoff. ``again`` replaces
    ``first`` from the second round on; where everyone meets everyone, ``crowd`` does (with ``shares`` of each move)."""

    rules: str = ""
    first: str = "You play with $partner. Choose one of: $actions."
    again: str = "You play with $partner. Last round you played $own, your partner $other, and you earned $payoff."
    crowd: str = "Last round you played $own and earned $payoff. In the group: $shares."

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        **dict.fromkeys(("rules", "first", "again"), frozenset({"actions", "partner", "round", "own", "other", "payoff"})),
        "crowd": frozenset({"actions", "round", "own", "payoff", "shares"}),
    }


class Matches(ColumnarEnvironment):
    """Matches side by side: a pair is a lane, or a group where everyone meets everyone. Moves are numbers of the game's actions."""

    name: ClassVar[str] = "match"

    rounds: Ints  # (groups,)
    moves: Ints  # how often each action was chosen in the last round, (groups, actions)
    earned: Floats  # mean payoff of the last round; nan before, (groups,)
    partner: Ints  # in this or the last round; -1 nobody, (agents,)
    move: Ints  # last; -1 none, (agents,)
    met: Ints  # what the partner did last; -1 none, (agents,)
    payoff: Floats  # last; nan none, (agents,)
    total: Floats  # in all, (agents,)
    played: NDArray[np.bool_]  # took part in this tick, (agents,)

    def __init__(self, game: MatrixGame | None = None, rules: MatchRules | None = None, wording: MatchWording | None = None) -> None:
        self.game = game or prisoners_dilemma()
        self.rules = rules or MatchRules()
        self.wording = wording or MatchWording()
        if self.rules.meet == "everyone" and not self.game.symmetric:
            raise UsageError(f"everyone can meet everyone in a symmetric game only, and {self.game.name!r} is not")
        self.group_cells = {
            "rounds": Cells(np.int64),
            "moves": Cells(np.int64, 0, (len(self.game.actions),)),
            "earned": Cells(np.float64, np.nan),
        }
        none = Cells(np.int64, -1)
        self.agent_cells = {"partner": none, "move": none, "met": none, "payoff": Cells(np.float64, np.nan)}
        self.agent_cells |= {"total": Cells(np.float64), "played": Cells(np.bool_, False)}

    def actions(self) -> tuple[ActionSpec, ...]:
        return tuple(bounded(spec, "move", options=self.game.actions) for spec in super().actions())

    def lanes(self, phase: Phase, awake: AgentIds, moment: Moment) -> Lanes:
        """A pair is a lane, named after the id of its row player; where everyone meets everyone, a group."""
        if self.rules.meet == "everyone":
            return super().lanes(phase, awake, moment)
        groups = self.group_of(awake)
        lot = awake if self.rules.meet == "pairs" else moment.randomness.stream("partners", moment.tick, phase.name).bits(awake)
        order = np.lexsort((awake, lot, groups))
        ranked, of = awake[order], groups[order]
        place = np.arange(len(ranked)) - np.searchsorted(of, of)
        first = np.flatnonzero((place[:-1] % 2 == 0) & (of[:-1] == of[1:]))
        one, two = np.minimum(ranked[first], ranked[first + 1]), np.maximum(ranked[first], ranked[first + 1])
        self.partner[awake] = -1
        self.partner[one], self.partner[two] = two, one
        return Lanes.by(moment, np.concatenate([one, two]), np.concatenate([one, one]))

    def observe(self, turn: Turn) -> Mapping[str, Array]:
        """partner (-1: everyone), round, and of the last round: move, met (-1: none), payoff (nan: none), total, shares (of each action in
        the group, (rows, actions), where everyone meets everyone)."""
        groups = self.group_of(turn.agents)
        seen: dict[str, Array] = {name: getattr(self, name)[turn.agents] for name in ("partner", "move", "met", "payoff", "total")}
        seen["round"] = self.rounds[groups] + 1
        if self.rules.meet == "everyone":
            moves = self.moves[groups]
            seen["shares"] = moves / np.maximum(1, moves.sum(axis=1, keepdims=True))
        return seen

    def describe(self, seen: Observations, row: int) -> Content:
        columns, actions = seen[self.name], self.game.actions
        crowd, new = self.rules.meet == "everyone", columns["move"][row] < 0
        others = names_of(self.world.population, columns["partner"][row : row + 1]) if columns["partner"][row] >= 0 else ["everyone"]
        places: dict[str, Any] = {"actions": ", ".join(actions), "partner": others[0], "round": columns["round"][row]}
        places |= {"own": actions[columns["move"][row]], "other": actions[columns["met"][row]], "payoff": columns["payoff"][row]}
        if crowd:
            shares = columns["shares"][row]
            places["shares"] = ", ".join(f"{name} {share:.0%}" for name, share in zip(actions, shares.tolist(), strict=True))
        blocks = [
            Block(self.wording.say("rules", **places), origin=self.name, layer=Layer.SHARED),
            Block(self.wording.say("first" if new else "crowd" if crowd else "again", **places), origin=self.name),
        ]
        return tuple(block for block in blocks if block.text)

    @action("Make your move.", move=Choice(doc="what you play"))
    def play(self, turn: Turn, seen: Observations, table: ActionTable) -> Outcome:
        outcome = Outcome()
        if table.agents is not turn.agents and not (first := first_rows(table.agents)).all():
            outcome.refuse(f"{self.name}.play", table.agents[~first], "one move a round")
            table = table.where(first)
        numbers = {name: at for at, name in enumerate(self.game.actions)}
        chosen = np.full(len(turn.agents), -1, np.int64)
        chosen[positions(turn.agents, table.agents)] = np.fromiter((numbers[m] for m in table["move"]), np.int64, len(table))
        self.move[turn.agents] = chosen
        self.played[turn.agents] = True
        if self.rules.meet == "everyone":
            self._against_all(turn, chosen)
        else:
            self._in_pairs(turn.agents, chosen)
        moved = turn.agents[chosen >= 0]
        payoff = self.payoff[moved]
        self.total[moved] += np.nan_to_num(payoff)
        data = {"move": np.array(self.game.actions, object)[chosen[chosen >= 0]], "payoff": payoff}
        lanes = turn.lanes[chosen >= 0]
        if self.rules.meet == "everyone":
            outcome.events.append(Events("played", moved, data, lanes=lanes, kept=self.rules.keep_moves))
        else:
            both = list(np.stack([moved, self.partner[moved]], axis=1))
            outcome.events.append(Events("played", moved, data, "some", both, lanes=lanes, kept=self.rules.keep_moves))
        outcome.rewards.append((moved, np.nan_to_num(payoff)))
        return outcome

    def apply(self, turn: Turn, seen: Observations, actions: Actions) -> Outcome:
        if not turn.offered(f"{self.name}.play"):
            return Outcome()
        nobody = ActionTable(np.empty(0, np.int64), {"move": np.empty(0, object)})
        return self.play(turn, seen, actions.of(self.name).get("play", nobody))

    def advance(self, to: int) -> Outcome | None:
        """The round is over."""
        who = np.flatnonzero(self.played)
        groups, size = self.group_of(who), self.world.groups
        now: Groups = np.unique(groups)
        moved = who[self.move[who] >= 0]
        cells = self.group_of(moved) * len(self.game.actions) + self.move[moved]
        counts = np.bincount(cells, minlength=size * len(self.game.actions)).reshape(size, -1)
        self.moves[now] = counts[now]
        paid = who[~np.isnan(self.payoff[who])]
        number = np.bincount(self.group_of(paid), minlength=size)
        sums = np.bincount(self.group_of(paid), self.payoff[paid], size)
        self.earned[now] = np.divide(sums, number, out=np.full(size, np.nan), where=number > 0)[now]
        self.rounds[now] += 1
        self.played[who] = False
        return None

    def measures(self) -> Mapping[str, Array]:
        """rounds, payoff (mean of the last round; nan where nobody earned anything), and the share of each action: share_cooperate ..."""
        total = self.moves.sum(axis=1)
        share = np.divide(self.moves, total[:, None], out=np.full(self.moves.shape, np.nan), where=total[:, None] > 0)
        named = {f"share_{name}": share[:, at].copy() for at, name in enumerate(self.game.actions)}
        return {"rounds": self.rounds.copy(), "payoff": self.earned.copy(), **named}

    def _in_pairs(self, agents: AgentIds, chosen: Ints) -> None:
        """Both of a pair are in the turn, or the other one has made no move."""
        here = self.partner[agents]
        self.met[agents] = np.where(np.isin(here, agents), self.move[here], -1)
        other = self.met[agents]
        valid = (chosen >= 0) & (other >= 0)
        row = agents < here
        mine, theirs = np.maximum(chosen, 0), np.maximum(other, 0)
        as_row, as_column = self.game.payoffs(mine, theirs)[:, 0], self.game.payoffs(theirs, mine)[:, 1]
        earned: Floats = np.where(row, as_row, as_column)
        self.payoff[agents] = np.where(valid, earned, np.nan)

    def _against_all(self, turn: Turn, chosen: Ints) -> None:
        """The mean payoff against all others of the group who moved."""
        size = len(self.game.actions)
        lanes = np.asarray(turn.lanes)
        groups, at = np.unique(lanes, return_inverse=True)
        moved = chosen >= 0
        counts = np.bincount(at[moved] * size + chosen[moved], minlength=len(groups) * size).reshape(-1, size)
        mine = np.maximum(chosen, 0)
        payoffs = self.game.table[:, :, 0]
        total = (counts @ payoffs.T)[at, mine] - payoffs[mine, mine]
        others = counts.sum(axis=1)[at] - 1
        fair = moved & (others > 0)
        self.payoff[turn.agents] = np.divide(total, others, out=np.full(len(chosen), np.nan), where=fair)
