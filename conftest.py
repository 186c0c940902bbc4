"""What holds for every test of every package: no socket but loopback."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _no_socket_but_loopback() -> Iterator[None]:
    """Forbid every connection that would leave this machine; tests/test_network_guard.py shows that it does."""
    if find_spec("jackfield.testing._guard") is None:
        yield
        return
    from jackfield.testing._guard import forbid_network  # noqa: PLC0415 -- not before the package under test

    with forbid_network():
        yield
