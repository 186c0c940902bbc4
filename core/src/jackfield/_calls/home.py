"""Where an open mesh belongs: one event loop of one process. Sockets and locks work in no other."""

from __future__ import annotations

import asyncio
import os

from jackfield._types.errors import ConfigurationError

__all__ = ["Home"]

_forks = 0


def _count_fork() -> None:
    global _forks  # noqa: PLW0603 -- a fact of the process, which nothing else holds
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


class Home:
    """The event loop and the process in which a mesh was opened: those that run now."""

    __slots__ = ("_forks", "_loop")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._forks = _forks

    @property
    def is_of_parent(self) -> bool:
        """Whether the process that opened the mesh has forked this one."""
        return self._forks != _forks

    def require(self) -> None:
        """Check that the caller runs where the mesh was opened.

        Raises:
            ConfigurationError: It runs in another event loop, in none, or in a forked process.
        """
        if self._forks != _forks:
            raise ConfigurationError(
                "this mesh was opened before the process forked; open another one in the forked process, or fork first"
            )
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError(
                "this mesh was opened in another event loop; open one in each loop, or call it in its own "
                "(asyncio.run_coroutine_threadsafe)"
            )
