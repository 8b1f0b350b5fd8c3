"""Opinion dynamics beside SciPy, NumPy and plain Numba. Prints JSON; ``sociarium bench opinion`` shows a table."""

from __future__ import annotations

import argparse
import json
import os

from sociarium.cli.benches import opinion
from sociarium.lab.documents import finite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=1_000_000)
    parser.add_argument("--degree", type=int, default=10, help="how many each follows")
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    rows = opinion.run(given.agents, given.degree, given.repeats)
    print(json.dumps(finite({"benchmark": "opinion", "cores": os.cpu_count(), "rows": rows})))


if __name__ == "__main__":
    main()
