"""The matrix of faults is a module beside the tests, and a command of its own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
