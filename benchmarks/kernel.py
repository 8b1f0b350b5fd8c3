"""What a round of rule agents costs, beside the same arithmetic by hand in NumPy. Prints JSON; ``sociarium bench kernel`` shows a table."""

from __future__ import annotations

import argparse
import json
import os

from sociarium.cli.benches import kernel
from sociarium.lab.documents import finite


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=kernel.SIZES[-1], help="most agents")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    sizes = tuple(size for size in kernel.SIZES if size <= given.largest)
    print(json.dumps(finite({"benchmark": "kernel", "cores": os.cpu_count(), "rows": kernel.run(sizes, given.repeats)})))


if __name__ == "__main__":
    main()
