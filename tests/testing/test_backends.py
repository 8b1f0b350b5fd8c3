"""A backend that says exact is held to it."""

from __future__ import annotations

import pytest

from sociarium import testing
from sociarium.kernel.content import Block
from sociarium.models.request import BackendFacts, Reply, Request, Sampling
from sociarium.testing import ConformanceError

REQUESTS = [
    Request((Block("one"),)),
    Request((Block("two"),), sampling=Sampling(temperature=1.0)),
    Request((Block("which"),), kind="choose", options=("a", "b")),
    Request(kind="embed", texts=("x", "y")),
]


class Echo:
    """Answers from the request alone, save for one defect."""

    def __init__(self, defect="", exact=True):
        self.defect, self.exact = defect, exact
        self.busy = 0

    @property
    def facts(self):
        return BackendFacts("echo", "0", exact=self.exact, seeds=True, log_probabilities=True)

    async def complete(self, request, draw):
        self.busy += 1
        try:
            import asyncio

            await asyncio.sleep(0)
            if request.kind == "choose":
                return Reply(probabilities=(0.25, 0.5) if self.defect == "sum" else (0.25, 0.75))
            if request.kind == "embed":
                return Reply(vectors=((1.0, 0.0),) * (1 if self.defect == "lost" else 2))
            return Reply(text=f"{request.blocks[0].text} {draw}" + (f" {self.busy}" if self.defect == "busy" else ""))
        finally:
            self.busy -= 1

    async def close(self):
        pass


async def test_an_exact_backend_passes():
    await testing.backend_test(Echo(), REQUESTS)


async def test_a_backend_that_does_not_say_exact_is_not_held_to_it():
    await testing.backend_test(Echo("busy", exact=False), REQUESTS)


@pytest.mark.parametrize(
    ("defect", "says"), [("busy", "not exact with 8 in flight: text"), ("sum", "must sum to 1"), ("lost", "2 texts, 1 vectors")]
)
async def test_a_defect_is_found(defect, says):
    with pytest.raises(ConformanceError, match=says):
        await testing.backend_test(Echo(defect), REQUESTS)


async def test_no_requests_are_no_pass():
    with pytest.raises(ConformanceError, match="needs requests"):
        await testing.backend_test(Echo(), [])
