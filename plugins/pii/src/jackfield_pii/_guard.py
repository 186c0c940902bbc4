"""The middleware: find personal data, replace or refuse it, and restore it in the answer."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any, Final

import attrs

from jackfield import ContentFilteredError, Reply
from jackfield.plugin import UNSET, Call, Handler

from ._recognizers import Finder, make_finder
from ._redaction import Redaction, redact, size_of
from ._restoring import StreamRestorer, restore
from ._settings import PiiSettings

__all__ = ["PiiGuard"]

logger = logging.getLogger("jackfield.pii")

_OFF_THE_LOOP: Final = 10_000
"""The number of characters from which a request is searched in a thread: it takes tens of milliseconds."""


class PiiGuard:
    """Keep personal data from the service.

    Args:
        settings: See `PiiSettings`.
    """

    def __init__(self, settings: PiiSettings) -> None:
        self._settings = settings
        self._finder: Finder | None = None

    async def __call__(self, call: Call, proceed: Handler) -> Any:
        """Search a call, and pass it on without personal data."""
        find = await self._find()
        if size_of(call.request) < _OFF_THE_LOOP:
            request, redaction = redact(call.request, find)
        else:
            request, redaction = await asyncio.to_thread(redact, call.request, find)
        self._refuse(call, redaction)
        if not redaction.counts:
            return await proceed(call)
        found = dict(sorted(redaction.counts.items()))
        logger.info("call %s to %s: %s", call.id, call.connection, _format(redaction.counts))
        call = attrs.evolve(call, metadata={**call.metadata, "pii": found})
        if self._settings.mode == "report":
            return await proceed(call)
        answer = await proceed(attrs.evolve(call, request=request))
        return self._restore(call, answer, redaction) if self._settings.restore else answer

    async def _find(self) -> Finder:
        """Return the finder; the first caller loads the libraries, in a thread."""
        if self._finder is None:
            self._finder = await asyncio.to_thread(make_finder, self._settings)
        return self._finder

    def _refuse(self, call: Call, redaction: Redaction) -> None:
        """Refuse a request that must not be sent; the error names what was found, but not its value.

        Raises:
            ContentFilteredError: The settings forbid it.
        """
        settings = self._settings
        refused: Counter[str] = Counter()
        if settings.mode == "block":
            refused += redaction.counts
        if settings.unreadable == "block":
            refused += redaction.unreadable
        if refused:
            raise ContentFilteredError(
                f"the guard pii does not let this through to {call.connection}: {_format(refused)}; nothing was sent",
                provider=call.provider,
                connection=call.connection,
                model=call.model.id,
            )

    def _restore(self, call: Call, answer: Any, redaction: Redaction) -> Any:
        options = getattr(call.request, "options", None)
        in_json = options is not None and options.response_format is not UNSET
        if call.stream:
            return answer.map(StreamRestorer(redaction.values, in_json=in_json))
        if isinstance(answer, Reply):
            return restore(answer, redaction.values, in_json=in_json)
        return answer


def _format(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
