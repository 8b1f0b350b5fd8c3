"""Fixtures of the laws; the societies are in ``conftest_laws``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest_laws import run as run
