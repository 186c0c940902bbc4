"""What holds for every test of every package: no socket but loopback, and no clock but the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from virtual_time import pytest_asyncio_loop_factories

from jackfield.testing import RecordingServer, forbid_network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


__all__ = ["pytest_asyncio_loop_factories", "refused_connections", "service"]

# Modules that assert for tests: what they say when an assertion fails is as detailed as in a test.
pytest.register_assert_rewrite(
    "cohere_recordings",
    "openai_recordings",
    "openai_rebuilding",
    "provider_pages",
    "sagemaker_endpoints",
    "waiting",
)

# Fixtures that start real servers, once for all tests that need them.
pytest_plugins = ["servers"]

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def refused_connections() -> Iterator[list[str]]:
    """Forbid every connection that would leave this machine, also where the code under test swallows the refusal.

    A test that means to be refused takes this fixture and clears the list.
    """
    with forbid_network() as refused:
        yield refused
    assert not refused, "a test may not use the network, and something hid that it tried"


@pytest.fixture
async def service() -> AsyncIterator[RecordingServer]:
    """Run a service on loopback that records what it is asked and answers as it is told."""
    async with RecordingServer() as server:
        yield server
