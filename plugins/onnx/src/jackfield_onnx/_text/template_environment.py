"""The environment in which chat templates run: what transformers gives them, in a sandbox and within a time limit.

Source: transformers' documentation of chat templates, and its sources (5.x, read 2026-12-01): the tag `generation`, loop
controls, and the names `tojson`, `raise_exception` and `strftime_now`.
"""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["TemplateEnvironment", "TemplateTookTooLong"]

# Seconds; a conversation of thousands of messages takes hundredths.
_LONGEST: Final = 3.0
_STEPS_BETWEEN_LOOKS: Final = 64
_LARGEST_PRODUCT: Final = 10_000_000


class TemplateTookTooLong(Exception):  # noqa: N818 -- says what happened, and is never shown to users
    """A template did not end in time, or computes something absurdly large."""


class _Generation(Extension):
    """The tag `generation`, which marks the assistant's part of a text for training; here it is without effect."""

    tags = {"generation"}  # noqa: RUF012 -- an instance variable of the base class

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        # A call block and no mere scope: names that are set within it are unknown outside, as they are in transformers.
        return nodes.CallBlock(self.call_method("_write"), [], [], body).set_lineno(line)

    def _write(self, caller: Callable[[], str]) -> str:
        return caller()


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """Runs templates, which come with models and are programs.

    They can modify none of their arguments, reach nothing of Python, and run for a few seconds at most: each round of a
    loop and each call of a macro checks the time.
    """

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
        )
        self.filters["tojson"] = _to_json
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = _format_now
        del self.globals["lipsum"]  # writes as many paragraphs as it is asked for
        self._running = threading.local()

    @contextmanager
    def time_limit(self) -> Iterator[None]:
        """Limit the time of what the current thread renders."""
        self._running.steps, self._running.ends_at = 0, time.monotonic() + _LONGEST
        try:
            yield
        finally:
            self._running.ends_at = None

    def check_time(self) -> str:
        """Check the time limit; every loop and macro calls this.

        Raises:
            TemplateTookTooLong: It has passed.
        """
        running = self._running
        running.steps += 1
        if running.steps % _STEPS_BETWEEN_LOOKS == 0 and time.monotonic() > running.ends_at:
            raise TemplateTookTooLong(f"it was stopped after {_LONGEST:g} seconds")
        return ""

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute a product or a power; one that would take minutes or gigabytes is refused."""
        sizes = [len(side) if isinstance(side, str | list | tuple) else side for side in (left, right)]
        if all(isinstance(size, int | float) for size in sizes):
            first, second = (abs(size) for size in sizes)
            of_text = any(isinstance(side, str | list | tuple) for side in (left, right))
            if (operator == "**" and second > 64) or (of_text and first * second > _LARGEST_PRODUCT):
                raise TemplateTookTooLong(f"it computes something too large, with {operator}")
        return super().call_binop(context, operator, left, right)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        parsed = super()._parse(source, name, filename)
        for kind in (nodes.For, nodes.Macro, nodes.CallBlock):
            self._check_time_in(parsed.find_all(kind))
        return parsed

    @staticmethod
    def _check_time_in(found: Iterable[nodes.For | nodes.Macro | nodes.CallBlock]) -> None:
        for node in found:
            check = nodes.Call(nodes.EnvironmentAttribute("check_time"), [], [], None, None)
            node.body.insert(0, nodes.ExprStmt(check).set_lineno(node.lineno))


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes <, > and & for HTML, which the model would see.
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _format_now(form: str) -> str:
    return dt.datetime.now().astimezone().strftime(form)
