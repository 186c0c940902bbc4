"""What the tests of the core share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # `plain_provider` is imported by name

from jackfield.testing import RecordingServer, no_retry_pauses


@pytest.fixture
async def server():
    async with RecordingServer() as running:
        yield running


@pytest.fixture
def pauses():
    """Make no pause between attempts; gives the seconds of those that would have been made."""
    with no_retry_pauses() as asked:
        yield asked


@pytest.fixture
def key(monkeypatch):
    """The secret of the plain provider, in the environment."""
    value = "sk-plain-0123456789abcdef"
    monkeypatch.setenv("PLAIN_KEY", value)
    return value
