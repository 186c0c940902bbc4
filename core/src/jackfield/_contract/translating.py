"""Translate a request: put a caller's options on the wire by the model's rules, and report what became of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, KeysView, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from jackfield._faces import show_in
from jackfield._types.capabilities import Capabilities, ModelRef, ParameterRule
from jackfield._types.content import Message, Tool
from jackfield._types.errors import UnsupportedError
from jackfield._types.option_rules import UNSET
from jackfield._types.options import Reasoning
from jackfield._types.parameters import Fate, ParameterNote, ParameterReport
from jackfield._types.requests import (
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    Request,
    RerankRequest,
    SummarizeRequest,
)

if TYPE_CHECKING:
    from .turns import Turn

__all__ = ["ParameterWriter", "ReportBuilder", "unserved"]

_WHAT: Final[Mapping[type, str]] = {
    ChatRequest: "chat",
    CompletionRequest: "complete a text",
    CountRequest: "count tokens",
    EmbedRequest: "embed",
    RerankRequest: "rerank",
    SummarizeRequest: "summarize",
}


class ReportBuilder:
    """Collect what becomes of parameters where nothing is written: before or after another translator, say.

    Args:
        policy: `unsupported` of the request: "error" or "drop".
        model: Its id, for messages.
    """

    def __init__(self, policy: Literal["error", "drop"], *, model: str = "") -> None:
        self._policy = policy
        self._model = model
        self._notes: list[ParameterNote] = []

    def refuse(self, name: str, why: str, value: Any = None) -> None:
        """Report that something cannot be honoured: an error, or a note if the policy is "drop".

        Raises:
            UnsupportedError: The policy is "error".
        """
        if self._policy == "error":
            raise UnsupportedError(
                f"{self._model or 'the model'} cannot honour {name}: {why}; "
                'leave it out, or pass unsupported="drop" to have it dropped and reported',
                parameter=name,
            )
        self.note(name, "dropped", value=value, why=why)

    def drop(self, name: str, why: str, value: Any = None) -> None:
        """Report that something was left out whatever the policy says (foreign thinking, say)."""
        self.note(name, "dropped", value=value, why=why)

    def note(
        self, name: str, fate: Fate, *, wire: str | None = None, value: Any = None, why: str | None = None
    ) -> None:
        """Add a line to the report."""
        self._notes.append(ParameterNote(name, fate, wire, value, why))

    def extend(self, report: ParameterReport) -> None:
        """Add the lines of another report."""
        self._notes += report.notes

    def finish(self) -> ParameterReport:
        """Return the report."""
        return ParameterReport(tuple(self._notes))


class ParameterWriter(ReportBuilder):
    """Write options into a wire body, and report what became of each.

    A translator calls `put` for each option that its service knows and `finish` at the end, so that no
    option can be forgotten: what was given and never put is refused or dropped.

    Args:
        given: The caller's options by name (`request.options.given()` or `request.given()`).
        capabilities: The model's; its `parameters` rule what is sent.
        policy: `unsupported` of the request: "error" or "drop".
        body: The wire body that is written to.
        model: Its id, for messages.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        capabilities: Capabilities,
        policy: Literal["error", "drop"],
        body: dict[str, Any],
        *,
        model: str = "",
    ) -> None:
        super().__init__(policy, model=model)
        self._given = dict(given)
        self._asked = frozenset(given)
        self._rules = capabilities.parameters
        self._theirs: tuple[str, ...] = ()
        self.body = body

    @classmethod
    def of(
        cls, request: Request, model: ModelRef, capabilities: Capabilities, body: dict[str, Any]
    ) -> ParameterWriter:
        """Return a writer for the options of a request, with its policy for what cannot be honoured.

        Args:
            request: The request, of any kind.
            model: Its model.
            capabilities: The model's; its `parameters` rule what is sent.
            body: The wire body that is written to.
        """
        options = request if isinstance(request, EmbedRequest | RerankRequest) else request.options
        return cls(options.given(), capabilities, options.unsupported, body, model=model.id)

    @property
    def left(self) -> KeysView[str]:
        """The names of what was given and not yet put, as they stand at any moment.

        A translator that knows twenty options need not ask the writer twenty times for a caller who gave one.
        """
        return self._given.keys()

    def take(self, name: str) -> Any:
        """Return an option's value and count it as seen; `UNSET` if it was not given or is not allowed.

        For options that need more than a plain copy; tell their fate with `note` or write them with `write`.

        Raises:
            UnsupportedError: The model cannot honour it, and the policy is "error".
        """
        value = self._pop(name)
        if value is UNSET:
            return UNSET
        rule = self._rules.get(name)
        return value if rule is None else self._allowed(name, value, rule)

    def put(self, name: str, wire: str | None = None, convert: Callable[[Any], Any] | None = None) -> Any:
        """Copy an option to the body, if it was given.

        Args:
            name: Our name.
            wire: The service's name, a dotted path into the body; None for the same name. A rule's wins.
            convert: Makes the wire's value of ours.

        Returns:
            The value that was written, or `UNSET`.

        Raises:
            UnsupportedError: The model cannot honour it, and the policy is "error".
        """
        value = self._pop(name)
        if value is UNSET:
            return UNSET
        rule = self._rules.get(name)
        if rule is not None:
            value = self._allowed(name, value, rule)
            if value is UNSET:
                return UNSET
            wire = rule.wire or wire
        return self.write(name, wire or name, value if convert is None else convert(value))

    def put_tools(self, convert: Callable[[Tool], Any], wire: str | None = None) -> Any:
        """Copy the tools to the body, if there are any, for a service without strict tools and cacheable prefixes.

        Args:
            convert: Returns the service's form of one tool.
            wire: See `put`.

        Returns:
            The list that was written, or `UNSET`.

        Raises:
            UnsupportedError: The model has no tools, or a tool must be strict, and the policy is "error".
        """

        def converted(tools: Sequence[Tool]) -> list[Any]:
            for index, tool in enumerate(tools):
                if tool.strict:
                    why = f"the service does not hold the arguments of {tool.name!r} to their schema"
                    self.refuse(f"tools[{index}].strict", why, tool.strict)
                if tool.cache is not None:
                    self.drop(
                        f"tools[{index}].cache", "the service has no marks of cacheable prefixes", tool.cache
                    )
            return [convert(tool) for tool in tools]

        return self.put("tools", wire, converted)

    def turns(self, messages: Sequence[Message]) -> Iterator[Turn]:
        """Yield the turns of a conversation, for a service that reads text, tool calls and their results.

        Each result of a tool call is a turn of its own, with the name of the tool. Thinking, raw parts, names of
        participants and marks of cacheable prefixes are dropped; images, audio, documents and arguments that are not
        a JSON object are refused. All of that is in the report.

        Raises:
            UnsupportedError: Something is refused, and the policy is "error".
        """
        from .turns import turns_of

        return turns_of(messages, self.drop, self.refuse)

    def write(self, name: str, path: str, value: Any) -> Any:
        """Write a value to the body at a dotted path and note it as sent, or as renamed."""
        self._set(path, value)
        notes = self._notes
        if notes and notes[-1].name == name and notes[-1].fate == "clamped":
            notes[-1] = attrs.evolve(notes[-1], wire=path)  # the rule that clamped need not know this name
        else:
            notes.append(ParameterNote(name, "sent" if path == name else "renamed", path, value))
        return value

    def default(self, name: str, wire: str, value: Any, why: str) -> None:
        """Write a value that the service requires and the caller did not give."""
        self._set(wire, value)
        self.note(name, "defaulted", wire=wire, value=value, why=why)

    def merge_extra(
        self,
        extra: Mapping[str, Mapping[str, Any]],
        *providers: str,
        into: dict[str, Any] | None = None,
        joined: Collection[str] = (),
    ) -> None:
        """Merge `extra` of these provider ids into the body, mappings deeply; other ids are left alone.

        Args:
            extra: Of the request.
            providers: Ids.
            into: Another mapping to merge it into, where the service's own options belong elsewhere.
            joined: Keys whose list is put behind the one that an option wrote, and does not replace it: the service's own
                tools behind the caller's.
        """
        if not extra:
            return
        body = self.body if into is None else into
        for provider in providers:
            for key, value in extra.get(provider, {}).items():
                present = body.get(key)
                if key in joined and isinstance(present, list) and isinstance(value, list | tuple):
                    body[key] = [*present, *value]
                else:
                    _merge(body, key, value)
                if into is None and isinstance(value, dict):
                    self._theirs += (key,)
                self.note(f"extra.{provider}.{key}", "sent", wire=key, value=value)

    @contextmanager
    def within(self, key: str) -> Iterator[None]:
        """Write into one mapping of the body for as long as the context lasts; the report names whole paths.

        For another translator's function, which knows its own place alone. A mapping that stays empty is left out.
        """
        outer, theirs, first = self.body, self._theirs, len(self._notes)
        self.body = dict(outer.get(key, {}))
        self._theirs = tuple(name for name, value in self.body.items() if isinstance(value, dict))
        try:
            yield
        finally:
            if self.body:
                outer[key] = self.body
            self.body, self._theirs = outer, (*theirs, *(f"{key}.{path}" for path in self._theirs))
            self._notes[first:] = [
                note if note.wire is None else attrs.evolve(note, wire=f"{key}.{note.wire}")
                for note in self._notes[first:]
            ]

    def finish(self) -> ParameterReport:
        """Refuse what was given and never taken, and return the report.

        Raises:
            UnsupportedError: Something is left, and the policy is "error".
        """
        while self._given:
            name = next(iter(self._given))
            value = self._given.pop(name)
            rule = self._rules.get(name)
            if name == "store" and value is False:
                self.drop(name, "the service is not known to keep answers", value)
                continue
            self.refuse(name, (rule and rule.why) or "the service has no such parameter", value)
        return ParameterReport(tuple(self._notes))

    def _pop(self, name: str) -> Any:
        """Return what was given and count it as seen. A list of no tools asks for nothing, and services refuse it."""
        value = self._given.pop(name, UNSET)
        if value == () and name == "tools":
            self.drop(name, "there are none, and services refuse an empty list", value)
            return UNSET
        return value

    def _allowed(self, name: str, value: Any, rule: ParameterRule) -> Any:
        if rule.supported is False:
            self.refuse(name, rule.why or "the model does not support it", value)
            return UNSET
        if rule.excludes and (other := self._find_excluded(rule)) is not None:
            law = f"the model does not accept it together with {other}"
            self.refuse(name, law if rule.why is None else f"{law}: {rule.why}", value)
            return UNSET
        # Of thinking, the choices are the words; a budget alone has none.
        word = value.effort if isinstance(value, Reasoning) else value
        if rule.choices is not None and word not in rule.choices and not (word is None and word is not value):
            law = f"{word!r} is not one of {', '.join(map(repr, rule.choices))}"
            self.refuse(name, law if rule.why is None else f"{law}: {rule.why}", value)
            return UNSET
        if rule.max_items is not None and len(value) > rule.max_items:
            return self._clamp(
                name, value, value[: rule.max_items], rule, f"at most {rule.max_items} entries"
            )
        if rule.minimum is not None and value < rule.minimum:
            return self._clamp(name, value, rule.minimum, rule, f"at least {rule.minimum}")
        if rule.maximum is not None and value > rule.maximum:
            return self._clamp(name, value, rule.maximum, rule, f"at most {rule.maximum}")
        return value

    def _find_excluded(self, rule: ParameterRule) -> str | None:
        """Return an option that was passed and not dropped, and with which a rule does not go together."""
        dropped = {note.name for note in self._notes if note.fate == "dropped"}
        return next((name for name in rule.excludes if name in self._asked and name not in dropped), None)

    def _clamp(self, name: str, value: Any, nearest: Any, rule: ParameterRule, law: str) -> Any:
        why = f"{value!r} is out of range: {law}" + ("" if rule.why is None else f": {rule.why}")
        if self._policy == "error":
            self.refuse(name, why, value)
        if isinstance(value, int) and isinstance(nearest, float) and nearest.is_integer():
            nearest = int(nearest)
        self.note(name, "clamped", wire=rule.wire or name, value=nearest, why=why)
        return nearest

    def _set(self, path: str, value: Any) -> None:
        """Write a value at a dotted path; a mapping that a caller gave is copied before anything is put into it."""
        if isinstance(value, dict):
            self._theirs += (path,)
        if "." not in path:
            self.body[path] = value
            return
        body, place = self.body, ""
        *parents, last = path.split(".")
        for parent in parents:
            place = f"{place}.{parent}" if place else parent
            inner = body.setdefault(parent, {})
            if self._theirs and any(f"{place}.".startswith(f"{theirs}.") for theirs in self._theirs):
                inner = body[parent] = dict(inner)
            body = inner
        body[last] = value


def _merge(body: dict[str, Any], key: str, value: Any) -> None:
    present = body.get(key)
    if isinstance(present, dict) and isinstance(value, Mapping):
        merged = dict(present)
        for inner, inner_value in value.items():
            _merge(merged, inner, inner_value)
        body[key] = merged
    else:
        body[key] = value


def unserved(who: str, request: Request) -> UnsupportedError:
    """Make the error of a kind of request that is not served; raise it in `jackfield_translate`.

    Args:
        who: The provider, its model or its route.
        request: What is asked.
    """
    # A kind of request that is newer than a plugin comes to it as well.
    return UnsupportedError(f"{who} does not {_WHAT.get(type(request), 'serve this call')}", parameter="kind")


show_in("jackfield.plugin", ParameterWriter, ReportBuilder)
