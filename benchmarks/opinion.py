"""What a round of rule agents costs, beside the same arithmetic by hand in NumPy. Prints JSON; ``sociarium bench opinion`` shows a table."""

from __future__ import annotations

import argparse
import json
import os

from sociarium.cli.benches import opinion
from sociarium.cli.console import finite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=opinion.SIZES[-1], help="most agents")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    sizes = tuple(size for size in opinion.SIZES if size <= given.largest)
    print(json.dumps(finite({"benchmark": "opinion", "cores": os.cpu_count(), "rows": opinion.run(sizes, given.repeats)})))


if __name__ == "__main__":
    main()
