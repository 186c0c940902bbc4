"""What holds for every test of every package: no socket but loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jackfield.testing import forbid_network

if TYPE_CHECKING:
    from collections.abc import Iterator


pytest.register_assert_rewrite("provider_pages")


@pytest.fixture(autouse=True)
def refused_connections() -> Iterator[list[str]]:
    """Forbid every connection that would leave this machine, also where the code under test swallows the refusal.

    A test that means to be refused takes this fixture and clears the list.
    """
    with forbid_network() as refused:
        yield refused
    assert not refused, "a test may not use the network, and something hid that it tried"
