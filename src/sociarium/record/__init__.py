"""The durable record of a run: journal, events, measures, snapshots, replay, branch."""

from sociarium.record.memory import MemoryJournal, MemoryRecord
from sociarium.record.run import Cadence, RunRecord

__all__ = ["Cadence", "MemoryJournal", "MemoryRecord", "RunRecord"]
