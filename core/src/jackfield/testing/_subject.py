"""The plugin under test: bound once, with settings, models and cases."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import attrs

from jackfield._calls.translation import translate
from jackfield._contract.hookspecs import CONTRACT
from jackfield._contract.protocols import HttpAccess
from jackfield._contract.secrets import Secret
from jackfield._plugins.capabilities import find_underlying, resolve_capabilities
from jackfield._plugins.provider import Provider, bind_provider
from jackfield._plugins.registry import Registry
from jackfield._types.capabilities import KINDS, Capabilities, ModelRef
from jackfield._types.errors import ConfigurationError, PluginError, UnsupportedError
from jackfield._types.failures import Failure
from jackfield._types.parameters import Translation
from jackfield._types.requests import Request
from jackfield._types.wire import Wire

from ._case import Case, CaseKind, plain_request
from ._decoding import Decoded, decode_frames, decode_wire, named_error
from ._findings import SkipCheck

__all__ = ["GROUP", "KEY", "PROBE_MODEL", "SECRET_NAME", "Probe", "Subject"]

GROUP: Final = f"jackfield.providers.v{CONTRACT}"
"""Where the entry points of providers stand."""

KEY: Final = "jackfield-conformance-key-4f1d"
"""The secret that the kit gives to a plugin. It must show up nowhere."""

PROBE_MODEL: Final = "jackfield-conformance-model"
"""A model that no table knows."""

SECRET_NAME: Final = re.compile("(key|token|secret|password)s?$")
"""How settings and variables end that hold a secret."""


@attrs.frozen
class Probe:
    """A model and a kind of request that a plugin translates.

    Attributes:
        model: The model.
        kind: The kind of request; "count" for a token count.
        capabilities: What the plugin says of the model.
        plain: The translation of a request that asks for nothing special.
    """

    model: ModelRef
    kind: CaseKind
    capabilities: Capabilities
    plain: Translation

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"{self.kind} with {self.model.id}"


class Subject:
    """A plugin, and what the checks need to look at it.

    Attributes:
        plugin: The module or object.
        cases: What it was given, but for listings.
        listings: The cases that are lists of models.
        provider: Its bound hooks; None if it cannot be bound.
        fault: Why it cannot.
        in_process: Its own transport answers without a network.
    """

    def __init__(
        self,
        plugin: object,
        cases: Sequence[Case] = (),
        *,
        settings: Mapping[str, Any] | None = None,
        folders: Sequence[Path] = (),
        in_process: bool = False,
    ) -> None:
        self.plugin = plugin
        self.cases = tuple(case for case in cases if case.kind != "listing")
        self.listings = tuple(case for case in cases if case.kind == "listing")
        self.given_settings = dict(settings or {})
        self._folders = tuple(folders)
        self.in_process = in_process
        self.provider: Provider | None = None
        self.fault: str | None = None
        try:
            self.provider = bind_provider(plugin, f"the plugin {self.name}")
        except PluginError as error:
            self.fault = str(error)

    @property
    def name(self) -> str:
        """How messages call the plugin."""
        return self.module_name if isinstance(self.plugin, ModuleType) else type(self.plugin).__name__

    @property
    def module_name(self) -> str:
        """The module that holds the plugin."""
        if isinstance(self.plugin, ModuleType):
            return self.plugin.__name__
        return type(self.plugin).__module__ if self.entry is None else self.entry.module

    @functools.cached_property
    def entry(self) -> EntryPoint | None:
        """The plugin's entry point: that of a module by its module, that of an object by its id."""
        name = None if self.provider is None else self.provider.info.id
        installed = entry_points(group=GROUP)
        if not isinstance(self.plugin, ModuleType):
            return next((one for one in installed if one.name == name and one.load() is self.plugin), None)
        top = self.plugin.__name__.partition(".")[0]
        found = [one for one in installed if one.module.partition(".")[0] == top]
        return next((one for one in found if one.name == name), next(iter(found), None))

    @property
    def package(self) -> ModuleType | None:
        """The top package that holds the plugin; None for an object defined in a test."""
        return sys.modules.get(self.module_name.partition(".")[0])

    @property
    def hooks(self) -> Provider:
        """The bound hooks."""
        if self.provider is None:
            raise SkipCheck("the plugin cannot be loaded; see loading.binds")
        return self.provider

    @functools.cached_property
    def settings(self) -> Any:
        """A settings object with the kit's key in every secret."""
        return self.make_settings()

    def make_settings(self, key: Secret | None = None, **values: Any) -> Any:
        """Make a settings object.

        Args:
            key: What stands in every secret; the kit's own key unless given.
            values: Fields that are set, those that the class does not have left out.
        """
        given: dict[str, Any] = {}
        cls = self.hooks.info.settings
        for field in attrs.fields(cls):
            name = field.name
            if field.metadata.get("secret"):
                given[name] = key or Secret(KEY)
            elif name in values:
                given[name] = values[name]
            elif name in self.given_settings:
                given[name] = self.given_settings[name]
            elif field.default is attrs.NOTHING:
                is_address = any(word in name for word in ("url", "uri", "endpoint", "host"))
                given[name] = "http://127.0.0.1:9" if is_address else "conformance"
        arguments = {name.lstrip("_"): value for name, value in given.items()}
        try:
            return cls(**arguments)
        except ConfigurationError:
            # One of two keys is needed (an endpoint or a base_url, say), so none of them is marked as needed.
            if "base_url" not in attrs.fields_dict(cls) or "base_url" in arguments:
                raise
            return cls(**arguments, base_url="http://127.0.0.1:9")

    @property
    def has_base_url(self) -> bool:
        """The settings have the key that every provider over HTTP has."""
        return "base_url" in attrs.fields_dict(self.hooks.info.settings)

    @functools.cached_property
    def speaks_http(self) -> bool:
        """The core's HTTP transport carries its wires."""
        try:
            return isinstance(self.hooks.transport(self.settings), HttpAccess)
        except Exception:
            return False  # `transport.gives` tells of it

    def capabilities(self, model: ModelRef) -> Capabilities:
        """Return a model's capabilities as the core resolves them, for a deployment also from other plugins' tables."""
        if model.underlying is None:
            return self.hooks.capabilities(model)
        return resolve_capabilities(Registry.installed(), self.hooks, model, None)

    def ref(self, case: Case) -> ModelRef:
        """Return a case's model as a hook sees it."""
        model = case.ref(self.settings)
        found = find_underlying(Registry.installed(), self.hooks, model)
        return model if found is None else attrs.evolve(model, underlying=found[1])

    def translate(
        self, model: ModelRef, request: Request, capabilities: Capabilities | None = None
    ) -> Translation:
        """Translate a request as a call does: the core's part first, then the plugin's."""
        known = self.capabilities(model) if capabilities is None else capabilities
        return translate(self.hooks.translate, model, request, known)

    @functools.cached_property
    def models(self) -> tuple[tuple[ModelRef, CaseKind], ...]:
        """The models to look at, each with a kind of request: those of the cases, and one that no table knows."""
        found = {(case.model, case.kind): (self.ref(case), case.kind) for case in self.cases}
        if not self.hooks.info.requires_models:
            for kind in KINDS:
                if kind in self.hooks.info.kinds:
                    model = ModelRef(PROBE_MODEL, "conformance", kind, settings=self.settings)
                    found[PROBE_MODEL, kind] = (model, kind)
        return tuple(found.values())

    @functools.cached_property
    def probes(self) -> tuple[Probe, ...]:
        """Those of `models` that the plugin translates a plain request for."""
        probes = []
        for model, kind in self.models:
            try:
                capabilities = self.capabilities(model)
                plain: Any = self.translate(model, plain_request(kind), capabilities)
            except Exception:  # noqa: S112 -- `translate.gives` tells of it
                continue
            if isinstance(plain, Translation) and isinstance(plain.wire, Wire):
                probes.append(Probe(model, kind, capabilities, plain))
        return tuple(probes)

    def probes_of(self, *kinds: CaseKind) -> tuple[Probe, ...]:
        """Return the probes of these kinds.

        Raises:
            SkipCheck: There are none.
        """
        found = tuple(probe for probe in self.probes if not kinds or probe.kind in kinds)
        if not found:
            what = " or ".join(kinds) or "any kind"
            raise SkipCheck(f"no model to try for {what}; give a Case")
        return found

    def body(self, case: Case) -> bytes:
        """Return a case's bytes."""
        return case.body(self._folders)

    def wire(self, case: Case) -> Wire:
        """Return the wire whose answer a case is."""
        wire = self.translate(self.ref(case), case.asked(self.body(case))).wire
        if not isinstance(wire, Wire):
            raise TypeError(f"jackfield_translate gave a {type(wire).__name__} as the wire")
        return wire

    def decoded(
        self, case: Case, body: bytes | None = None, *, step: int | None = None, cut: int | None = None
    ) -> Decoded:
        """Decode a case's answer.

        Args:
            case: The case.
            body: Bytes to put in place of the case's own.
            step: Feed this many bytes at a time.
            cut: Feed the bytes before this place and those after it.
        """
        model, wire = self.ref(case), self.wire(case)
        if case.raises is not None:
            return Decoded((), error=named_error(self.hooks, model, Failure(exception=case.raises)))
        if case.in_process:
            return decode_frames(self.hooks, model, wire, case.head(b""), list(case.wire))  # type: ignore[arg-type]
        # The type is that of the case's own bytes, also where others take their place.
        own = self.body(case)
        body = own if body is None else body
        if step is not None:
            chunks = [body[i : i + step] for i in range(0, len(body), step)]
        else:
            chunks = [body] if cut is None else [body[:cut], body[cut:]]
        return decode_wire(self.hooks, model, wire, case.head(own), chunks)

    def good_cases(self, *, stream: bool | None = None) -> Iterator[Case]:
        """Return the cases that are not errors: all, the streamed, or the whole ones."""
        for case in self.cases:
            if case.error is None and (stream is None or case.is_stream(self.body(case)) is stream):
                yield case

    def some_cases(self, *, stream: bool | None = None) -> list[Case]:
        """Return the good cases as a list.

        Raises:
            SkipCheck: There are none.
        """
        found = list(self.good_cases(stream=stream))
        if not found:
            what = {None: "an", True: "a streamed", False: "a whole"}[stream]
            raise SkipCheck(f"no case shows {what} answer")
        return found

    def marked_hooks(self) -> dict[str, Any]:
        """Return what the plugin marks with @hookimpl, by name."""
        found = {}
        for name in dir(self.plugin):
            try:
                value = getattr(self.plugin, name)
            except Exception:  # noqa: S112 -- a property that fails is not a hook
                continue
            if getattr(value, "jackfield_impl", None) is not None and callable(value):
                found[name] = value
        return found


def refused(action: Any, *arguments: Any) -> UnsupportedError | None:
    """Call something and give the refusal that came; None if none came."""
    try:
        action(*arguments)
    except UnsupportedError as error:
        return error
    return None
