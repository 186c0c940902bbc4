import os

import pytest
from gateway_running import running

# Programs of others: `nox -s gateway` installs them.
collect_ignore = [] if "JACKFIELD_CLIENTS" in os.environ else ["clients"]


@pytest.fixture
async def gateway():
    async with running() as gateway:
        yield gateway
