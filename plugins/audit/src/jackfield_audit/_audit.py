"""The middleware: wait until a call has ended, and write its line."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from jackfield import JackfieldError, Reply
from jackfield.plugin import Call, Handler, WatchedStream

from ._file import LineFile
from ._line import End, line_of
from ._settings import AuditSettings

__all__ = ["AuditLog"]

logger = logging.getLogger("jackfield.audit")


class AuditLog:
    """Write a line for each call, whatever its outcome.

    Args:
        settings: See `AuditSettings`.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, settings: AuditSettings) -> None:
        self._content = settings.content
        # A relayed call's request holds no content to write down.
        self.needs_content = settings.content
        self._file = LineFile(settings.path, settings.max_bytes, settings.backups)

    async def __call__(self, call: Call, proceed: Handler) -> Any:
        """Make the call, and write how it ended."""
        began_at, began = time.time(), time.perf_counter()

        def write_end(answer: object, error: BaseException | None) -> None:
            was_left = isinstance(answer, Reply) and not answer.ended and error is None
            cancelled = was_left or isinstance(error, asyncio.CancelledError | GeneratorExit)
            end = End(
                answer=answer,
                error=error,
                cancelled=cancelled,
                began_at=began_at,
                began=began,
                ended=time.perf_counter(),
            )
            self._write(call, end)

        try:
            answer = await proceed(call)
        except BaseException as error:
            write_end(error.partial if isinstance(error, JackfieldError) else None, error)
            raise
        if call.stream:
            return WatchedStream(answer, write_end)
        write_end(answer, None)
        return answer

    async def aclose(self) -> None:
        """Write the waiting lines, and close the file."""
        await self._file.aclose()

    def _write(self, call: Call, end: End) -> None:
        from jackfield.plugin import write_json  # it loads the writer of JSON, so late

        try:
            line = write_json(line_of(call, end, content=self._content))
        except Exception:
            # A plugin's price or a caller's object may raise anything. The call is over; only its line is lost.
            logger.exception("no line could be written for call %s", call.id)
            return
        self._file.put(line)
