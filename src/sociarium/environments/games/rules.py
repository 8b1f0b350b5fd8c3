"""The rules of the donor game over generations, and its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from sociarium.environments.games.pairing import MAXIMUM_LINKS, donor_schedule
from sociarium.environments.wording import Wording
from sociarium.kernel.errors import UsageError


@dataclass(frozen=True, slots=True)
class DonorRules:
    """The donor game of arXiv 2412.10270. A tick is a round; a generation is two games of ``rounds`` rounds, roles swapped between.

    ``agents``: players in each group, all of ``kind``. ``endowment``: units at the start of a game. A recipient gets ``multiplier``
    times what is given; with ``punishment`` on, it loses ``punishment_factor`` times what is spent on that. ``refusal`` offers
    partner choice. ``links``: acts shown about a recipient. ``survivors``: the part that goes on, chosen by ``selection``: ``top``
    fitness, ``random``, or ``reputation`` (the mean part given). ``inherit``: columns that a newcomer takes over from a random
    survivor. ``error_rate``: the chance that an act becomes a gift of nothing. ``released_schedule`` and ``released_score`` are the
    defects of the released notebook: the same side gives twice running, and the second game alone counts.
    """

    agents: int = 12
    rounds: int = 12
    generations: int = 10
    endowment: float = 10.0
    multiplier: float = 2.0
    punishment: bool = False
    punishment_factor: float = 2.0
    refusal: bool = False
    links: int = MAXIMUM_LINKS
    survivors: float = 0.5
    selection: Literal["top", "random", "reputation"] = "top"
    inherit: tuple[str, ...] = ("mind",)
    error_rate: float = 0.0
    released_schedule: bool = False
    released_score: bool = False
    keep_acts: bool = True
    kind: str = "player"

    def __post_init__(self) -> None:
        donor_schedule(self.agents, self.rounds, released_order=self.released_schedule)  # says what is wrong with either
        if not 1 <= self.surviving < self.agents:
            raise UsageError(f"survivors is {self.survivors}: of {self.agents} agents at least one must go on and one must not")
        if not 1 <= self.links <= MAXIMUM_LINKS:
            raise UsageError(f"links is {self.links}; a trace shows 1 to {MAXIMUM_LINKS}")
        if not 0 <= self.error_rate <= 1:
            raise UsageError(f"error_rate is {self.error_rate}; it is a chance, from 0 to 1")
        if self.endowment <= 0 or self.multiplier < 0 or self.punishment_factor < 0 or self.generations < 1:
            raise UsageError("the endowment must be above 0, multiplier and punishment factor 0 or more, generations 1 or more")
        if self.selection not in ("top", "random", "reputation"):
            raise UsageError(f"selection is {self.selection!r}; it is top, random or reputation")

    @property
    def surviving(self) -> int:
        """How many agents of a group go on."""
        return round(self.agents * self.survivors)

    @property
    def ticks(self) -> int:
        """Ticks of a whole run: rounds of all games of all generations."""
        return 2 * self.rounds * self.generations

    @property
    def generation_ticks(self) -> int:
        """Ticks of one generation: how often a phase ``strategy`` comes."""
        return 2 * self.rounds


_ACT = frozenset({"name", "strategy", "generation", "round", "partner", "partner_resources", "resources"})


@dataclass(frozen=True, slots=True)
class DonorWording(Wording):
    """What a player is told. Places of ``act``: name, strategy (both its own), generation, round, partner, partner_resources,
    resources. Places of a link of the trace (``gave``, ``punished``, ``refused``): donor, recipient, share (per cent).

    ``rules`` has multiplier and endowment. ``first`` asks for the strategy of a first generation, ``later`` introduces those that
    survived. An empty template is left out.
    """

    rules: str = ""
    first: str = ""
    later: str = "The strategies of those who survived:"
    strategy: str = "Your strategy: $strategy"
    act: str = "Generation $generation, round $round: $name (you) has $resources, $partner has $partner_resources."
    unknown: str = "Nothing is known about $partner."
    gave: str = "$donor gave $share % of what it had to $recipient."
    punished: str = "$donor spent $share % of what it had on punishing $recipient."
    refused: str = "$donor refused to play with $recipient."

    PLACES: ClassVar[Mapping[str, frozenset[str]]] = {
        "rules": frozenset({"multiplier", "endowment"}),
        "first": frozenset({"multiplier", "endowment"}),
        "later": frozenset({"multiplier", "endowment"}),
        **dict.fromkeys(("strategy", "act", "unknown"), _ACT),
        **dict.fromkeys(("gave", "punished", "refused"), frozenset({"donor", "recipient", "share"})),
    }
