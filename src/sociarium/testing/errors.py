"""What a check that fails raises."""

from __future__ import annotations

from sociarium.kernel.errors import SociariumError


class ConformanceError(SociariumError):
    """A part does not keep its contract. The message says which contract, where it was broken, and what differs."""
