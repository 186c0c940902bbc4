import pytest
from gateway_running import running


@pytest.fixture
async def gateway():
    async with running() as gateway:
        yield gateway
