import pytest
from argon2 import PasswordHasher
from console_running import prepare, running_console

from jackfield_console import _users


@pytest.fixture(autouse=True)
def fast_hashes(monkeypatch):
    """Hashes that cost little: tests log in often."""
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(_users, "_hasher", lambda: hasher)
    _users._nobody.cache_clear()
    yield
    _users._nobody.cache_clear()


@pytest.fixture
def address(request, tmp_path):
    """The address of an empty store: SQLite, or PostgreSQL where a test asks for it (`both_stores`)."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return f"sqlite:///{tmp_path / 'gateway.db'}"
    return request.getfixturevalue("postgres_server").new_database()


@pytest.fixture
def store(address):
    """The address of a store with two users: alice, an admin, and vera, a viewer."""
    prepare(address)
    return address


@pytest.fixture
async def console(store):
    """A gateway with a console, nobody logged in."""
    async with running_console(store) as running:
        yield running


@pytest.fixture
async def admin(console):
    """A browser in which alice has logged in."""
    await console.browser.log_in()
    return console.browser
