"""Checks of how a plugin is loaded and bound."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterable
from importlib.util import find_spec

import attrs

from jackfield._contract.hookspecs import REQUIRED, ExtensionSpecs, ProviderSpecs
from jackfield._deprecation import DEPRECATED
from jackfield._hints import hint

from ._check import check
from ._findings import SkipCheck, Warn
from ._import_probe import SDKS, Imported, import_afresh
from ._names_used import hooks_and_arguments, imported_names
from ._subject import SECRET_NAME, Subject

_KNOWN = frozenset(
    name for specs in (ProviderSpecs, ExtensionSpecs) for name in vars(specs) if name.startswith("jackfield_")
)
_BUDGET = 0.1
_TRIES = 3


@check(
    "loading.binds",
    law="The core can bind the plugin's hooks.",
    remedy="the message says which hook, which signature and what is wrong with it",
)
def binds(subject: Subject) -> Iterable[str]:
    if subject.fault is not None:
        yield subject.fault


@check(
    "loading.known_hooks",
    law="Every function that is marked as a hook is one.",
    remedy="correct the name; the hooks stand in the reference under Hooks",
)
def known_hooks(subject: Subject) -> Iterable[str]:
    for name, hook in subject.marked_hooks().items():
        known = hook.jackfield_impl.get("specname") or name
        if known not in _KNOWN:
            yield f"there is no hook {known!r}{hint(known, _KNOWN)}"


@check(
    "loading.marked_hooks",
    law="Every function with a hook's name is marked as one.",
    remedy="put @hookimpl above it (from jackfield.plugin import hookimpl)",
)
def marked_hooks(subject: Subject) -> Iterable[str]:
    marked = subject.marked_hooks()
    for name in sorted(_KNOWN - marked.keys()):
        if callable(inspect.getattr_static(subject.plugin, name, None)):
            yield f"{name} lacks @hookimpl"


@check(
    "loading.required_hooks",
    law="A provider implements every hook without which it cannot be called.",
    remedy="implement it; the plugin template has one of each",
)
def required_hooks(subject: Subject) -> Iterable[str]:
    marked = subject.marked_hooks()
    names = {hook.jackfield_impl.get("specname") or name for name, hook in marked.items()}
    for name in sorted(REQUIRED - names):
        yield f"{name} is not implemented"


@check(
    "loading.sync_hooks",
    law="Hooks are plain functions: no coroutines, no generators.",
    remedy="write `def`; what has to wait belongs into the transport",
)
def sync_hooks(subject: Subject) -> Iterable[str]:
    for name, hook in subject.marked_hooks().items():
        if (
            inspect.iscoroutinefunction(hook)
            or inspect.isasyncgenfunction(hook)
            or inspect.isgeneratorfunction(hook)
        ):
            yield f"{name} is a {'generator' if inspect.isgeneratorfunction(hook) else 'coroutine'}"


@check(
    "loading.deprecated",
    law="A plugin uses nothing of the contract that is to go.",
    remedy="use what the warning names, and raise the plugin's lower bound of jackfield if that is new",
)
def deprecated(subject: Subject) -> Iterable[str]:
    for place, name in [*hooks_and_arguments(subject.marked_hooks()), *imported_names(subject.package)]:
        if name in DEPRECATED:
            yield Warn(f"{place}: {name} is deprecated: {DEPRECATED[name]}")


@check(
    "loading.base_url",
    law="A provider that speaks HTTP can be pointed at another address by `base_url`.",
    remedy="give the settings class a field `base_url: str | None = None` and use it in jackfield_transport",
    applies=lambda subject: None if subject.provider and subject.speaks_http else "it does not speak HTTP",
)
def base_url(subject: Subject) -> Iterable[str]:
    if not subject.has_base_url:
        names = ", ".join(attrs.fields_dict(subject.hooks.info.settings))
        yield f"the settings class has only {names or 'no fields'}"


@check(
    "loading.secret_settings",
    law="A setting whose name is that of a secret is one: a reference in the configuration, which no message shows.",
    remedy="declare it as `Secret | None = jackfield.plugin.secret(env=...)`, or give it a name that says what it is",
)
def secret_settings(subject: Subject) -> Iterable[str]:
    for field in attrs.fields(subject.hooks.info.settings):
        if (
            SECRET_NAME.search(field.name.lower())
            and not field.metadata.get("secret")
            and re.search(r"\b(str|bytes|Any|Secret|object)\b", str(field.type))
        ):
            yield f"{field.name} is a {field.type}"


def _importable(subject: Subject) -> str | None:
    try:
        found = find_spec(subject.module_name)
    except (ImportError, ValueError):
        found = None
    return None if found is not None else f"{subject.module_name} cannot be imported by name"


@functools.lru_cache(maxsize=32)
def _import_of(module: str) -> Imported:
    try:
        return import_afresh(module)
    except RuntimeError as error:  # kept, too: a module that never comes is waited for once
        return Imported(
            modules=(), seconds=0, threads=0, sockets=0, environment=(), error=str(error), slept=0, printed=""
        )


def _imported(subject: Subject) -> Imported:
    imported = _import_of(subject.module_name)
    if imported.error is not None:
        raise SkipCheck(f"importing it afresh failed: {imported.error}")
    return imported


@check(
    "loading.imports",
    law="The plugin's module can be imported in a fresh process.",
    remedy="import it with `python -c` and read the traceback",
    applies=_importable,
)
def imports(subject: Subject) -> Iterable[str]:
    error = _import_of(subject.module_name).error
    if error is not None:
        yield error


@check(
    "loading.no_sdk",
    law="Importing a plugin loads no SDK, engine or HTTP client.",
    remedy="import it inside the transport's `open`, which runs when the connection opens",
    applies=_importable,
)
def no_sdk(subject: Subject) -> Iterable[str]:
    own = subject.module_name.partition(".")[0]
    loaded = [name for name in _imported(subject).modules if name in SDKS and name != own]
    if loaded:
        yield f"it loads {', '.join(loaded)}"


@check(
    "loading.fast_import",
    law="Importing a plugin takes at most 100 ms of CPU time.",
    remedy="find the heavy import with `python -X importtime -c 'import ...'` and put it where it is needed",
    applies=_importable,
)
def fast_import(subject: Subject) -> Iterable[str]:
    # The best of a few: a busy machine makes an import slower, never faster.
    best = _imported(subject).seconds
    for _ in range(_TRIES - 1):
        if best <= _BUDGET:
            return
        best = min(best, import_afresh(subject.module_name).seconds)
    if best > _BUDGET:
        yield f"it takes {best * 1000:.0f} ms"


@check(
    "loading.no_side_effects",
    law="Importing a plugin starts no thread, makes no socket, changes no environment variable, and neither prints nor "
    "sleeps.",
    remedy="do it when the connection opens",
    applies=_importable,
)
def no_side_effects(subject: Subject) -> Iterable[str]:
    imported = _imported(subject)
    if imported.threads > 0:
        yield f"it starts {imported.threads} thread(s)"
    if imported.sockets:
        yield "it reaches for the network"
    if imported.environment:
        yield f"it changes {', '.join(imported.environment)}"
    if imported.printed:
        yield f"it prints {imported.printed!r}"
    if imported.slept:
        yield f"it sleeps {imported.slept:g} s"
