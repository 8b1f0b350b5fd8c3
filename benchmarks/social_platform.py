"""What a step of a social platform costs, at a thousand to a million users. Prints JSON; ``sociarium bench platform`` shows a table."""

from __future__ import annotations

import argparse
import json
import os

from sociarium.cli.benches import platform
from sociarium.lab.documents import finite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=platform.SIZES[-1], help="most users")
    given = parser.parse_args()
    sizes = tuple(size for size in platform.SIZES if size <= given.largest)
    print(json.dumps(finite({"benchmark": "platform", "cores": os.cpu_count(), "rows": platform.run(sizes)})))


if __name__ == "__main__":
    main()
