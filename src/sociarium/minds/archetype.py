"""The archetype mind: a model is asked once for each group of alike agents, and every member draws from that answer.

As in "On the limits of agency in agent-based models" (Chopra et al., AAMAS 2025, arXiv 2409.10568): the calls of a step are the
product of the categories of the prompt's variables times the answers that are averaged, however many agents there are. What is lost is
the spread of chances within a group: its count has the larger variance, by the sum of n_g Var_g(p_i) over the groups.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from sociarium.kernel.actions import Actions
from sociarium.kernel.content import Block, Content, Trust
from sociarium.kernel.environment import Events
from sociarium.kernel.errors import UsageError
from sociarium.kernel.mind import Mind
from sociarium.kernel.outcomes import STATUS_NAMES, Status
from sociarium.kernel.turn import Observations, Turn, TurnKind
from sociarium.kernel.world import World
from sociarium.minds.behaviour import Answer, Behaviours, Mix
from sociarium.minds.grouping import Archetypes, Grouping, Told
from sociarium.minds.language.asking import together
from sociarium.minds.language.rendering import laid_out
from sociarium.minds.prompts import Prompt, PromptPack, Value
from sociarium.models.request import Reply, Request, Sampling

Array = NDArray[Any]
Floats = NDArray[np.float64]

SAMPLED = Sampling(temperature=1.0)
MOST_MEMORY = 100  # exchanges that an archetype may remember


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about each archetype, and how.

    ``variables`` must be those of the prompt. ``samples`` answers are asked for and averaged (n_arch); they need a temperature.
    ``memory``: how many of its last exchanges each of them is shown again. ``complete``: all combinations are asked, populated or not, so
    that the calls of a step are known; else only those that have members. ``reuse``: an archetype whose variables say what they said when
    it last answered is not asked again. ``style``: ``schema`` (a number a chance or level, a number an option of a mix) or ``choose`` (the
    options of the one mix are scored by their likelihood). ``fallback``: what stands in, by answer, where a call failed and the archetype
    has never answered; where it has, its last answer does. Without either its members do nothing.
    """

    name: str
    behaviours: Behaviours
    variables: Sequence[Grouping | Told]
    prompt: str
    samples: int = 1
    memory: int = 0
    complete: bool = True
    reuse: bool = True
    style: Literal["schema", "choose"] = "schema"
    fallback: Mapping[str, float | Sequence[float]] | None = None
    sampling: Sampling = SAMPLED
    phases: tuple[str, ...] = ()
    route: str = "default"

    def __post_init__(self) -> None:
        if self.samples < 1 or not 0 <= self.memory <= MOST_MEMORY:
            raise UsageError(f"the question {self.name!r} needs one or more samples, and a memory of 0 to {MOST_MEMORY}")
        if self.samples > 1 and (self.style == "choose" or self.sampling.temperature == 0.0):
            raise UsageError(
                f"the question {self.name!r} averages {self.samples} answers that are all the same: give a temperature, or one sample"
            )
        mixes = [answer for answer in self.behaviours.answers.values() if isinstance(answer, Mix)]
        if self.style == "choose" and (len(mixes) != 1 or len(self.behaviours.answers) != 1):
            raise UsageError(f"the question {self.name!r} chooses, so its behaviours must have one answer, a Mix")
        for name, answer in self.behaviours.answers.items():
            if self.fallback is not None and np.size(self.fallback.get(name, ())) != answer.width:
                raise UsageError(f"the fallback of the question {self.name!r} must give {answer.width} number(s) for {name!r}")

    @property
    def archetypes(self) -> Archetypes:
        return Archetypes([variable for variable in self.variables if isinstance(variable, Grouping)])

    @property
    def calls(self) -> int:
        """Model calls of one step in which all archetypes are asked."""
        return self.archetypes.count * self.samples

    def schema(self) -> dict[str, Any]:
        answers = self.behaviours.answers
        properties = {name: answer.schema() for name, answer in answers.items()}
        return {"type": "object", "properties": properties, "required": list(answers), "additionalProperties": False}


@dataclass(slots=True)
class _Heard:
    """What the archetypes of one lane answered last. ``asked``: the digest of the variables that each answered to; empty: never."""

    shares: dict[str, Floats]
    asked: list[str]
    exchanges: dict[tuple[int, int], list[tuple[str, str]]] = field(default_factory=dict[tuple[int, int], list[tuple[str, str]]])


@dataclass(slots=True)
class _Told:
    """What came of asking one archetype: the mean answer (None: no good one), and how the call ended."""

    archetype: int
    digest: str
    shares: dict[str, Floats] | None
    spread: dict[str, Floats]
    status: Status
    error: str
    good: int
    exchanges: list[tuple[str, str] | None]


class ArchetypeMind(Mind):
    """Several questions, each of which is asked in turns where one of its behaviours is on offer. Lanes do not share answers.

    The record has an event ``minds.QUESTION`` for each archetype that was asked: its words, its members, the mean and the standard
    deviation of its answers, how many were good, and how asking ended. The asker in an address is ``archetype:K``.
    """

    paced = True

    def __init__(self, questions: Question | Sequence[Question], prompts: PromptPack) -> None:
        self.questions = (questions,) if isinstance(questions, Question) else tuple(questions)
        self.prompts = prompts
        self._archetypes = [question.archetypes for question in self.questions]
        self._heard: list[dict[int, _Heard]] = [{} for _ in self.questions]
        for at, question in enumerate(self.questions):
            names = {variable.name for variable in question.variables}
            if question.name in {other.name for other in self.questions[:at]}:
                raise UsageError(f"two questions of an archetype mind are called {question.name!r}; give one of them another name")
            prompt = self._prompt(question)
            if names != set(prompt.variables):
                wrong, own = sorted(names ^ set(prompt.variables))[0], ", ".join(sorted(names)) or "none"
                raise UsageError(
                    f"the question {question.name!r} has the variables {own}; its prompt {prompt.path} has "
                    f"{', '.join(prompt.variables) or 'none'}: {wrong!r} must be in both, since agents are grouped by what is asked"
                )

    def begin(self, world: World) -> None:
        self.world = world

    async def decide(self, turn: Turn, seen: Observations) -> Actions:
        actions = Actions()
        for at, question in enumerate(self.questions):
            if question.behaviours.suit(turn) and (not question.phases or turn.phase.name in question.phases):
                _add(actions, await self._answered(at, turn, seen))
        return actions

    async def _answered(self, at: int, turn: Turn, seen: Observations) -> Actions:
        """One question: all its lanes at the same time, then all members at once."""
        question, archetypes = self.questions[at], self._archetypes[at]
        which = archetypes.of(self.world, turn, seen)
        one_lane = turn.lanes[0] == turn.lanes[-1]  # they are sorted
        edges: list[int] = [] if one_lane else (np.flatnonzero(turn.lanes[1:] != turn.lanes[:-1]) + 1).tolist()
        starts = [0, *edges, len(turn.agents)]
        lanes = [slice(start, end) for start, end in itertools.pairwise(starts)]
        asked = await together([self._lane(at, turn, seen, rows, which[rows]) for rows in lanes])
        shares = {name: np.concatenate([one.shares[name] for one in asked]) for name in question.behaviours.answers}
        status = np.concatenate([one.status for one in asked])
        stood_in = np.concatenate([one.stood_in for one in asked])
        if len(lanes) > 1:
            sizes = np.diff(np.array(starts))
            which = which.astype(np.int64) + np.repeat(np.arange(len(lanes)) * archetypes.count, sizes)
        actions = question.behaviours.actions(turn, shares, which)
        if status.any() or stood_in.any():
            actions.status, actions.fallback = status.take(which), stood_in.take(which)
        actions.notes += [one.note for one in asked if one.note is not None]
        return actions

    async def _lane(self, at: int, turn: Turn, seen: Observations, rows: slice, which: Array) -> _Asked:
        question, archetypes = self.questions[at], self._archetypes[at]
        lane = int(turn.lanes[rows.start])
        known = self._heard[at].get(lane) or self._nothing(at)
        told = self._values(question, turn, seen, rows)
        members = None if question.complete else archetypes.members(which)
        numbers = range(archetypes.count) if members is None else np.flatnonzero(members).tolist()
        prompts = {number: self._prompt(question).render(told | archetypes.labels(number)) for number in numbers}
        wanted = {number: blocks for number, blocks in prompts.items() if not question.reuse or known.asked[number] != _digest(blocks)}
        answers: list[_Told] = await together([self._ask(at, turn, rows.start, number, blocks, known) for number, blocks in wanted.items()])
        result = self._settled(question, known, answers)
        if answers:
            counts = archetypes.members(which) if members is None else members
            result.note = self._note(at, turn, rows.start, lane, answers, counts)
        if turn.kind != TurnKind.PROBE:
            self._heard[at][lane] = self._remembered(question, known, answers)
        return result

    async def _ask(self, at: int, turn: Turn, row: int, number: int, blocks: Content, known: _Heard) -> _Told:
        question = self.questions[at]
        answers = question.behaviours.answers
        requests = [self._request(question, blocks, known.exchanges.get((number, sample), [])) for sample in range(question.samples)]
        replies: list[Reply] = await turn.ask_all(row, requests, question.name, route=question.route, asker=f"archetype:{number}")
        read = [_read(reply, answers, question.style) for reply in replies]
        good = [one for one in read if isinstance(one, dict)]
        asked = _moving(blocks)
        exchanges = [(asked, _words(reply, one)) if isinstance(one, dict) else None for reply, one in zip(replies, read, strict=True)]
        if good:
            mean = {name: np.mean([one[name] for one in good], axis=0) for name in answers}
            spread = {name: np.std([one[name] for one in good], axis=0) for name in answers}
            status = max(reply.status for reply, one in zip(replies, read, strict=True) if isinstance(one, dict))
            return _Told(number, _digest(blocks), mean, spread, status, "", len(good), exchanges)
        status, error = next(one for one in read if isinstance(one, tuple))
        nothing = {name: np.full(answer.width, np.nan) for name, answer in answers.items()}
        return _Told(number, _digest(blocks), None, nothing, status, error, 0, exchanges)

    def _request(self, question: Question, blocks: Content, exchanges: Sequence[tuple[str, str]]) -> Request:
        before: list[Block] = []
        for asked, answered in exchanges:
            before.append(Block(asked, origin="archetype"))
            before.append(Block(answered, origin="archetype", trust=Trust.AGENT, role="assistant"))
        laid = laid_out((*before, *blocks))
        if question.style == "choose":
            (mix,) = question.behaviours.answers.values()
            return Request(laid, kind="choose", options=cast("Mix", mix).options, sampling=replace(question.sampling, temperature=0.0))
        return Request(laid, schema=question.schema(), sampling=question.sampling)

    def _settled(self, question: Question, known: _Heard, answers: Sequence[_Told]) -> _Asked:
        """The answers in force: the new ones, and what stands in for those that failed."""
        count = len(known.asked)
        shares = {name: column.copy() for name, column in known.shares.items()}
        status, stood_in = np.zeros(count, np.uint8), np.zeros(count, np.bool_)
        for one in answers:
            status[one.archetype] = one.status
            if one.shares is None:
                stood_in[one.archetype] = bool(known.asked[one.archetype]) or question.fallback is not None
            for name, column in shares.items():
                if one.shares is not None:
                    column[one.archetype] = one.shares[name] if column.ndim > 1 else one.shares[name][0]
                elif not known.asked[one.archetype] and question.fallback is not None:
                    column[one.archetype] = question.fallback[name]
        return _Asked(shares, status, stood_in)

    def _remembered(self, question: Question, known: _Heard, answers: Sequence[_Told]) -> _Heard:
        after = _Heard({name: column.copy() for name, column in known.shares.items()}, list(known.asked), dict(known.exchanges))
        for one in answers:
            if one.shares is not None:
                after.asked[one.archetype] = one.digest
                for name, column in after.shares.items():
                    column[one.archetype] = one.shares[name] if column.ndim > 1 else one.shares[name][0]
            for sample, exchange in enumerate(one.exchanges if question.memory else ()):
                if exchange is not None:
                    before = after.exchanges.get((one.archetype, sample), [])
                    after.exchanges[one.archetype, sample] = [*before, exchange][-question.memory :]
        return after

    def _note(self, at: int, turn: Turn, row: int, lane: int, answers: Sequence[_Told], members: Array) -> Events:
        """One row for each archetype that was asked."""
        question, archetypes = self.questions[at], self._archetypes[at]
        numbers = np.array([one.archetype for one in answers], np.int64)
        data: dict[str, Array] = {"archetype": numbers, "members": members[numbers]}
        labels = [archetypes.labels(one.archetype) for one in answers]
        for grouping in archetypes.groupings:
            data[grouping.name] = np.array([words[grouping.name] for words in labels], object)
        for name, answer in question.behaviours.answers.items():
            columns = [f"{name}.{option}" for option in answer.options] if isinstance(answer, Mix) else [name]
            for place, column in enumerate(columns):
                data[f"answer.{column}"] = np.array([np.nan if one.shares is None else one.shares[name][place] for one in answers])
                data[f"spread.{column}"] = np.array([one.spread[name][place] for one in answers])
        data["good"] = np.array([one.good for one in answers], np.int64)
        data["status"] = np.array([STATUS_NAMES[one.status] for one in answers], object)
        data["error"] = np.array([one.error for one in answers], object)
        group = int(self.world.population.get(turn.agents[row : row + 1], "group")[0])
        nobody, here = np.full(len(answers), -1, np.int64), np.full(len(answers), group, np.int64)
        return Events(question.name, nobody, data, "nobody", groups=here, lanes=np.full(len(answers), lane, np.int64))

    def _values(self, question: Question, turn: Turn, seen: Observations, rows: slice) -> dict[str, Value]:
        """What is told to all agents of a lane."""
        wanted = [variable for variable in question.variables if isinstance(variable, Told)]
        if not wanted:
            return {}
        if rows.start > 0 or rows.stop < len(turn.agents):
            mask = np.zeros(len(turn.agents), np.bool_)
            mask[rows] = True
            turn, seen = (part := turn.part(mask)), seen.part(mask, part)
        return {variable.name: variable.value(self.world, turn, seen) for variable in wanted}

    def _nothing(self, at: int) -> _Heard:
        count = self._archetypes[at].count
        answers = self.questions[at].behaviours.answers
        empty = {name: np.full((count, answer.width) if isinstance(answer, Mix) else count, np.nan) for name, answer in answers.items()}
        return _Heard(empty, [""] * count)

    def _prompt(self, question: Question) -> Prompt:
        return self.prompts[question.prompt]

    def state(self) -> dict[str, Any]:
        """By question and lane: the last answers, what was asked, and the exchanges that are remembered."""
        out: dict[str, Any] = {}
        for question, lanes in zip(self.questions, self._heard, strict=True):
            for lane in sorted(lanes):
                heard = lanes[lane]
                out.setdefault(question.name, {})[str(lane)] = {
                    "shares": {name: column.copy() for name, column in heard.shares.items()},
                    "asked": list(heard.asked),
                    "exchanges": [[*place, [list(pair) for pair in pairs]] for place, pairs in sorted(heard.exchanges.items())],
                }
        return out

    def load(self, state: Mapping[str, Any]) -> None:
        for at, question in enumerate(self.questions):
            self._heard[at] = {}
            for lane, saved in state.get(question.name, {}).items():
                exchanges = {(int(k), int(sample)): [(str(a), str(b)) for a, b in pairs] for k, sample, pairs in saved["exchanges"]}
                shares = {name: np.array(column, np.float64) for name, column in saved["shares"].items()}
                self._heard[at][int(lane)] = _Heard(shares, [str(digest) for digest in saved["asked"]], exchanges)


@dataclass(slots=True)
class _Asked:
    """The answers in force in one lane, by archetype, and how asking for each ended."""

    shares: dict[str, Floats]
    status: NDArray[np.uint8]
    stood_in: NDArray[np.bool_]
    note: Events | None = None


def _read(reply: Reply, answers: Mapping[str, Answer], style: str) -> dict[str, Floats] | tuple[Status, str]:
    """The shares that a reply gives, or why there are none."""
    if not reply.good:
        return reply.status, reply.error
    if style == "choose":
        ((name, answer),) = answers.items()
        shares = np.array(reply.probabilities, np.float64)
        if len(shares) != answer.width or not 0.999 < shares.sum() < 1.001:
            return Status.MALFORMED, f"{len(shares)} probabilities for {answer.width} options"
        return {name: shares / shares.sum()}
    read = {name: answer.read(reply.value[name]) for name, answer in answers.items()}
    for name, shares in read.items():
        if shares is None:
            return Status.MALFORMED, f"the shares of {name} are all 0"
    return cast("dict[str, Floats]", read)


def _words(reply: Reply, shares: Mapping[str, Floats]) -> str:
    """An answer as it is remembered."""
    if reply.value is not None:
        return json.dumps(reply.value, ensure_ascii=False, sort_keys=True)
    return json.dumps({name: [round(float(share), 3) for share in column] for name, column in shares.items()}, sort_keys=True)


def _moving(blocks: Content) -> str:
    """What changes from step to step, as it is shown again."""
    return "\n\n".join(block.text for block in blocks if block.role == "user")


def _digest(blocks: Content) -> str:
    return hashlib.blake2b("\x1f".join(block.digest for block in blocks).encode(), digest_size=16).hexdigest()


def _add(actions: Actions, more: Actions) -> None:
    """The actions of another question of the same agents. The worse outcome of an agent's questions counts."""
    if twice := actions.tables.keys() & more.tables.keys():
        raise UsageError(f"two questions of an archetype mind decide {sorted(twice)[0]} in one turn; give them different phases")
    actions.tables.update(more.tables)
    actions.notes += more.notes
    if more.status is not None:
        actions.status = more.status if actions.status is None else np.maximum(actions.status, more.status)
        fallback = more.fallback if more.fallback is not None else np.zeros(len(more.status), np.bool_)
        actions.fallback = fallback if actions.fallback is None else actions.fallback | fallback
