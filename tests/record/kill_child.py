"""A run in a process of its own, to be killed at any instant: ``python kill_child.py FOLDER TICKS ACKNOWLEDGED``.

Each reply that was acknowledged as durable is written to the file ACKNOWLEDGED before anything else happens.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import worlds

from sociarium.record import RunRecord


async def main(folder: Path, ticks: int, acknowledged: Path) -> None:
    if (folder / "run.sqlite").exists():
        record = RunRecord.open(folder, mode="resume")
    else:
        record = RunRecord.create(folder, {}, snapshot_every=2, tick_group=3, roll_rows=10, keep_snapshots=3)
    log = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    append = record.journal.append

    async def noted(entry: object) -> None:
        await append(entry)  # type: ignore[arg-type]
        os.write(log, f"{entry.address}\n".encode())  # type: ignore[attr-defined]

    record.journal.append = noted  # type: ignore[method-assign]
    os.write(1, b"started\n")
    await worlds.resume(record, ticks, rows=40_000)
    record.close()
    os.write(1, b"finished\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
