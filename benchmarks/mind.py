"""Memories that come to mind, and a town that walks, for ten thousand agents. Prints JSON; ``sociarium bench mind`` shows a table."""

from __future__ import annotations

import argparse
import json
import os

from sociarium.cli.benches import mind
from sociarium.lab.documents import finite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=10_000, help="who remember")
    parser.add_argument("--memories", type=int, default=1_000, help="of each")
    parser.add_argument("--residents", type=int, default=10_000, help="of the town")
    parser.add_argument("--ticks", type=int, default=120)
    given = parser.parse_args()
    rows = mind.run(given.agents, given.memories, given.residents, given.ticks)
    print(json.dumps(finite({"benchmark": "mind", "cores": os.cpu_count(), "rows": rows})))


if __name__ == "__main__":
    main()
