"""A run as tables: who caught how much in which month, by SQL over the record."""

import asyncio
import tempfile
from pathlib import Path

from sociarium import frames
from sociarium.lab.running import start
from sociarium.scenarios import catalogue

game = catalogue.scenario("govsim").of({"policies": "sustainable*3,greedy*2"})
query = 'SELECT tick + 1 AS month, sum(wanted) AS wanted, sum(caught) AS caught FROM "commons.harvested" GROUP BY tick ORDER BY tick'

with tempfile.TemporaryDirectory() as place:
    folder = Path(place) / "run"
    asyncio.run(start(game, 1, folder))
    tables = frames(folder)
    print(tables.sql(query))
    print(tables.sql('SELECT status, sum("count") AS turns FROM outcomes GROUP BY status ORDER BY status'))
    tables.close()
