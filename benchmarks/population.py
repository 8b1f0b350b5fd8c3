"""What a day of an epidemic costs, at ten thousand to 8.4 million agents. Prints JSON; ``sociarium bench population`` shows a table."""

from __future__ import annotations

import argparse
import json
import os

from sociarium.cli.benches import population
from sociarium.lab.documents import finite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=population.SIZES[-1], help="most agents")
    given = parser.parse_args()
    sizes = tuple(size for size in population.SIZES if size <= given.largest)
    print(json.dumps(finite({"benchmark": "population", "cores": os.cpu_count(), "rows": population.run(sizes)})))


if __name__ == "__main__":
    main()
