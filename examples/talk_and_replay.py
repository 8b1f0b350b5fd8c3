"""A society that thinks in words, recorded and played again without its model. Any model's name may be given: local:smollm2, http://…"""

import asyncio
import sys
import tempfile
from pathlib import Path

from sociarium.lab.running import replay, start
from sociarium.scenarios import catalogue

model = sys.argv[1] if len(sys.argv) > 1 else "scripted:schema"
game = catalogue.scenario("govsim").of({"model": model, "pace": "choices", "embedder": "hashing"})

with tempfile.TemporaryDirectory() as place:
    folder = Path(place) / "run"
    finished = asyncio.run(start(game, 1, folder))
    used = finished.summary.models
    print(f"{finished.ticks} months, {used['calls']} calls, {used['prompt_tokens']} tokens read; turns: {finished.summary.turns}")
    again = asyncio.run(replay(folder, catalogue.scenario))
    print("replayed to the same digest:", again.digest == finished.digest)
