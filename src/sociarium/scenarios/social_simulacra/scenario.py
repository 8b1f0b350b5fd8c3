"""Social simulacra: a community populated from its design, before anybody has joined it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from sociarium.environments.social.casting import MOST_REPLIES, ThreadRules
from sociarium.environments.social.design import Design, read_design
from sociarium.environments.social.membership import DESIGNER, Membership, proposals_of
from sociarium.environments.social.threads import MEMBER, Threads
from sociarium.kernel.errors import UsageError
from sociarium.kernel.schedule import Rounds
from sociarium.kernel.simulation import Intervention, Simulation
from sociarium.kernel.turn import Phase
from sociarium.lab.scenario import Scenario
from sociarium.models.request import Sampling
from sociarium.populations.expansion import Sketch
from sociarium.scenarios.social_simulacra.members import Condition, Manner, Members
from sociarium.scenarios.social_simulacra.people import community, population


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Edit(_Plain):
    """The next version of the design: what is not given stays. A rule to add is ``{allow: TEXT}`` or ``{forbid: TEXT}``."""

    goal: str | None = None
    add: list[dict[str, Any]] = []
    drop: list[str] = []
    people: str | None = None
    words: list[str] | None = None


class WhatIf(_Plain):
    """Somebody answers the utterance at ``after`` (0: the post): with ``text``, or as ``behaviour`` says."""

    thread: int
    after: int
    name: str
    phrase: str = ""
    behaviour: str = ""
    text: str = ""
    group: int = 0


class Multiverse(_Plain):
    """Other draws of the utterance at ``position``; none named: as many as the scenario's ``width``."""

    thread: int
    position: int
    width: int | None = None
    group: int = 0


class SocialSimulacra(Scenario):
    """The first tick expands the personas; each tick after it populates one version of the design; then come the questions, one a tick."""

    slug: ClassVar[str] = "social-simulacra"
    title: ClassVar[str] = "Social simulacra: populated prototypes of a community"
    progress: ClassVar[tuple[str, ...]] = ("threads.edited", "threads.posted", "threads.replied", "threads.inserted", "threads.closed")
    headline: ClassVar[tuple[str, ...]] = ("membership.members", "threads.threads", "threads.replies", "threads.breaking", "threads.broken")
    speakers: ClassVar[tuple[str, ...]] = (MEMBER,)

    community: str = Field("baking", description="the design and its seed personas: a name that comes with the scenario, or a YAML file")
    seeds: int | None = Field(None, ge=0, description="seed personas used: the first of the file; none: all")
    personas: int = Field(1_000, ge=0, le=1_000_000, description="personas made up beside the seeds")
    threads: int = Field(50, ge=0, le=1_000_000, description="threads opened in each version of the design")
    reply: float = Field(0.65, ge=0, lt=1, description="chance of each further reply")
    most: int = Field(8, ge=0, le=MOST_REPLIES, description="replies of a thread at most")
    target: Literal["last", "any"] = Field("last", description="what a reply answers: the last utterance, or any before it")
    breaking: float = Field(0.1, ge=0, le=1, description="share of posts in the rule-breaking form")
    breaking_replies: float = Field(0.0, ge=0, le=1, description="share of replies in the rule-breaking form")
    edits: list[Edit] = Field(
        default_factory=list[Edit], description="changes of the design; each makes a version, which is populated anew"
    )
    what_if: list[WhatIf] = Field(default_factory=list[WhatIf], description="questions: somebody says something else in a copy of a thread")
    multiverse: list[Multiverse] = Field(default_factory=list[Multiverse], description="questions: other draws of an utterance")
    width: int = Field(5, ge=1, le=1_000, description="alternatives of a multiverse")
    condition: Condition = Field("full", description="what writers know: ablations of the paper's evaluation")
    copies: int = Field(1, ge=1, le=10_000, description="equal communities side by side: groups of one run")
    distinct: Literal["persona", "name"] = Field(
        "persona", description="in what personas must differ: name and phrase together, or the name"
    )
    patience: int = Field(100, ge=1, description="proposals in a row without a new persona after which the expansion gives up")

    persona: float = Field(0.2, ge=0, le=1, description="without a model: share of words that tell who one is")
    contagion: float = Field(0.5, ge=0, le=1, description="without a model: chance that a hostile utterance gets a hostile answer")

    temperature: float = Field(0.75, ge=0, le=2, description="of the language model; at 0 all alternatives are the same")
    tokens: int = Field(120, ge=8, le=32_768, description="with a model: longest utterance", json_schema_extra={"unit": "tokens"})
    persona_tokens: int = Field(80, ge=16, le=32_768, description="with a model: longest persona", json_schema_extra={"unit": "tokens"})
    longest: int = Field(2_000, ge=1, le=100_000, description="longest utterance", json_schema_extra={"unit": "characters"})

    def total_ticks(self) -> int:
        return int(self.personas > 0) + 1 + len(self.edits) + len(self.what_if) + len(self.multiverse)

    def build(self, seed: int) -> Simulation:
        design, people = self.designed()
        rules = ThreadRules(
            self.reply,
            self.most,
            self.target,
            self.breaking,
            self.breaking_replies,
            self.longest,
            f"{self.condition}, {self.temperature:g}",
        )
        environments = [Threads([design], rules), Membership(self.personas, distinct=self.distinct, patience=self.patience)]
        phases = (Phase("expand", "membership", who=(DESIGNER,)), Phase("write", "threads", who=(MEMBER,)))
        return Simulation(
            population(people, self.copies),
            environments,
            [self.mind()],
            Rounds(phases, self.total_ticks()),
            seed=seed,
            interventions=self.planned(),
        )

    def designed(self) -> tuple[Design, list[Sketch]]:
        """The first version of the design, and the seed personas."""
        design, people = read_design(community(self.community))
        if self.seeds is not None and self.seeds > len(people):
            raise UsageError(f"{self.seeds} seed personas were asked for, and {self.community} has {len(people)}")
        return design, proposals_of(people if self.seeds is None else people[: self.seeds])

    def planned(self) -> list[Intervention]:
        """What the designer does, by tick."""
        tick = int(self.personas > 0)
        planned = [Intervention(tick, "threads.open", {"threads": self.threads})]
        for edit in self.edits:
            tick += 1
            planned.append(Intervention(tick, "threads.edit", edit.model_dump(mode="json")))
            planned.append(Intervention(tick, "threads.open", {"threads": self.threads}))
        for question in (*self.what_if, *self.multiverse):
            tick += 1
            arguments = question.model_dump(mode="json")
            if isinstance(question, Multiverse) and question.width is None:
                arguments["width"] = self.width
            name = "threads.what_if" if isinstance(question, WhatIf) else "threads.multiverse"
            planned.append(Intervention(tick, name, arguments))
        return planned

    def mind(self) -> Any:
        """Who writes."""
        if self.model is None:
            return Members(self.manner())
        from sociarium.scenarios.social_simulacra.thinking import language_mind

        return language_mind(self)

    def manner(self) -> Manner:
        return Manner(self.persona, self.contagion, self.condition)

    def sampling(self) -> Sampling:
        """Of an utterance."""
        from sociarium.scenarios.social_simulacra.thinking import CLOSING

        return Sampling(temperature=self.temperature, max_tokens=self.tokens, stop=CLOSING)

    def told(self, kind: str, row: Mapping[str, Any]) -> str | None:
        from sociarium.scenarios.social_simulacra.showing import told_line

        return told_line(kind, row)

    def plot(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.social_simulacra.showing import draw

        return draw(self, folder, target)

    def replay(self, folder: Path, target: Path) -> Path | None:
        from sociarium.scenarios.social_simulacra.page import write

        return write(self, folder, target)
