"""Import what plugins load late before the first call does, off the event loop."""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jackfield._plugins.hooks import PASSED_ON

if TYPE_CHECKING:
    from jackfield._config.connections import ConnectionConfig

__all__ = ["preload"]

logger = logging.getLogger("jackfield")


async def preload(connections: Iterable[ConnectionConfig]) -> None:
    """Import the modules that the providers of these connections name (`ProviderInfo.preload`).

    One that cannot be imported is logged, and breaks nothing yet: the hook that needs it will say so.
    """
    infos = [connection.provider.info for connection in connections if connection.provider is not None]
    wanted = dict.fromkeys(name for info in infos for name in info.preload if name not in sys.modules)
    if wanted:
        await asyncio.to_thread(_import_all, tuple(wanted))


def _import_all(names: tuple[str, ...]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except PASSED_ON:
            raise
        except BaseException:  # `sys.exit`, and panics of extension modules
            logger.exception("the module %s, which a plugin wants to be imported early, cannot be", name)
