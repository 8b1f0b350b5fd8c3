"""Members who write with a model: the tagged frame, which ties a text to the design without any training.

One sentence says who the speaker is, one what sort of comments that person shares, and then comes a block of tags whose first carries
the community's goal and rules; the model goes on where the last tag was opened, and stops where that would be closed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sociarium.environments.social.design import Design
from sociarium.environments.social.threads import Slot, Threads
from sociarium.kernel.content import Block, Content, said
from sociarium.kernel.mind import Mind
from sociarium.kernel.outcomes import Status
from sociarium.kernel.protocols import Address
from sociarium.minds.language import prompts
from sociarium.minds.language.asking import Asking
from sociarium.minds.language.component import Decider, Decision
from sociarium.minds.language.mind import LanguageMind
from sociarium.minds.language.rendering import harmless, laid_out
from sociarium.minds.prompts import PromptPack
from sociarium.models.request import Request, Sampling
from sociarium.scenarios.social_simulacra.members import Manner

if TYPE_CHECKING:
    from sociarium.scenarios.social_simulacra.scenario import SocialSimulacra

HERE = Path(__file__).parent
CLOSING = ("</post>", "</reply>", "</community>")
_ENDS = re.compile(r"</?(?:post|reply|community)\b|^\[\[", re.MULTILINE)
ANYBODY = "member"  # whose name is not to be known

PERSONA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 80},
        "phrase": {"type": "string", "minLength": 1, "maxLength": 200},
    },
    "required": ["name", "phrase"],
    "additionalProperties": False,
}


def frame(slot: Slot, manner: Manner, pack: PromptPack, names: Sequence[str]) -> Content:
    """The prompt for a slot; ``names`` are those of the authors of its path."""
    design, tag = slot.design, "reply" if slot.path else "post"
    sort = _sort(slot) if manner.described or slot.behaviour else {}
    values: dict[str, Any] = dict.fromkeys(pack["write"].variables)
    values |= {**sort, "tag": tag, "thread": _thread(slot, names if manner.personal else [ANYBODY] * len(names))}
    if manner.personal:
        values |= {"name": harmless(slot.name), "phrase": harmless(slot.phrase or "a member of this community")}
    if manner.described:
        values |= {"goal": escape(design.goal), "rules": escape(_rules(design))}
    else:
        values["bare"] = "<community>"
    return laid_out(pack["write"].render(values))


def request_for(slot: Slot, manner: Manner, pack: PromptPack, names: Sequence[str], sampling: Sampling) -> Request:
    """What is asked of a model for a slot."""
    return Request(frame(slot, manner, pack, names), sampling=sampling)


def drawn_at(slot: Slot) -> Address:
    """Where the text's own draw comes from: its coordinate, wherever and whenever it is asked for."""
    return Address(0, "threads", 0, 0, f"draw:{slot.draw}", "write")


def read(text: str) -> str:
    """The words of a reply: without a tag that the model says again before them, up to the next tag or the mark of another speaker."""
    text = text.strip()
    for tag in ("<reply>", "<post>"):
        text = text.removeprefix(tag)
    return _ENDS.split(text, maxsplit=1)[0].strip()


class Writer(Decider):
    """Writes a post or a reply: one call. What comes back empty is nobody's words, and the thread ends there."""

    name = "write"
    actions = ("threads.post", "threads.reply")

    def __init__(self, manner: Manner, sampling: Sampling, longest: int) -> None:
        self.manner, self.sampling, self.longest = manner, sampling, longest

    async def decide(self, asking: Asking) -> Decision:
        turn, threads = asking.turn, cast("Threads", self.mind.world["threads"])
        slot = threads.slots(turn.lanes[asking.row : asking.row + 1])[0]
        names = [threads.name_of(author) for author, _ in slot.path]
        request = request_for(slot, self.manner, self.mind.prompts, names, self.sampling)
        route = self.mind.route("", asking.agent)
        reply = await turn.ask(asking.row, request, self.name, route=route, drawn_at=drawn_at(slot))
        if not reply.good:
            return self.stood_in(asking, reply.status, reply.error)
        words = read(reply.text)[: self.longest]
        if not words:
            return self.stood_in(asking, Status.MALFORMED, "the model wrote nothing")
        return Decision([("threads.reply" if slot.path else "threads.post", {"text": words})], reply.status)


class Expander(Decider):
    """Makes up members: the seeds, in another order each time, are the examples; one call a proposal."""

    name = "expand"
    actions = ("membership.propose",)

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling

    async def decide(self, asking: Asking) -> Decision:
        turn, threads = asking.turn, cast("Threads", self.mind.world["threads"])
        asked, calls = int(asking.value("membership", "asked")), int(asking.value("membership", "calls"))
        design = threads.designs[int(turn.lanes[asking.row])].now.design
        shown = asking.described()
        requests: list[Request] = []
        for number in range(calls, calls + asked):
            order = turn.random("examples").at(number).order(np.arange(len(shown)))
            members: Content = tuple(shown[int(at)] for at in order)
            values: dict[str, Any] = {
                "goal": design.goal,
                "people": design.people or "anybody",
                "members": members,
                "seed": number + len(shown) + 1,
            }
            blocks = self.mind.prompts["expand"].render(values)
            requests.append(asking.request(blocks, schema=PERSONA, sampling=self.sampling))
        replies = await asking.send_all(self.name, requests)
        fields = [reply.fields for reply in replies]
        told = [{"name": str(one.get("name", ""))[:80], "phrase": str(one.get("phrase", ""))[:300]} for one in fields]
        failed = [reply for reply in replies if not reply.good]
        status, reason = (failed[0].status, failed[0].error) if len(failed) == len(replies) else (Status.OK, "")
        return Decision([("membership.propose", one) for one in told], status, reason, fallback=bool(reason))


def language_mind(scenario: SocialSimulacra) -> Mind:
    """The mind of members and designers who think in words."""
    writer = Writer(scenario.manner(), scenario.sampling(), scenario.longest)
    expander = Expander(Sampling(temperature=scenario.temperature, max_tokens=scenario.persona_tokens))
    return LanguageMind([writer, expander], prompts(HERE / "prompts"), sampling=scenario.sampling())


def _sort(slot: Slot) -> dict[str, str]:
    """The sentence on the sort of comments: what is allowed, and the negation of what is forbidden; or what breaks the rules."""
    if slot.behaviour:
        return {"behaviour": harmless(slot.behaviour)}
    design = slot.design
    if slot.breach >= 0:
        return {"breach": design.breaches[slot.breach]}
    allowed, forbidden = _listed([r.text for r in design.allowed], "or"), _listed([r.text for r in design.forbidden], "or")
    if allowed and forbidden:
        return {"allowed": allowed, "forbidden": forbidden}
    return {"only_allowed": allowed} if allowed else {"only_forbidden": forbidden} if forbidden else {}


def _rules(design: Design) -> str:
    """``welcome: ...; not allowed: ...``."""
    return "; ".join(f"{'welcome' if rule.allowed else 'not allowed'}: {rule.text}" for rule in design.rules) or "none"


def _thread(slot: Slot, names: Sequence[str]) -> Content | None:
    """The thread so far as nested tags, the words of each author between them."""
    blocks: list[Block] = []
    for at, ((_, text), name) in enumerate(zip(slot.path, names, strict=True)):
        blocks += [Block("<post>" if at == 0 else "<reply>", origin="social-simulacra.write"), said(text, name)]
    return tuple(blocks) or None


def _listed(texts: Sequence[str], joint: str) -> str:
    return ", ".join(texts[:-1]) + (f" {joint} " if len(texts) > 1 else "") + texts[-1] if texts else ""
