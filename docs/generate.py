"""Write the generated parts of the reference: `python docs/generate.py`; with `--check`, say what is out of date.

A page holds its own words and, between `<!-- generated: NAME -->` and `<!-- end -->`, what this script makes of the
code. The part `keys of ID` of a provider whose plugin is not installed is left as it is.
"""

from __future__ import annotations

import argparse
import ast
import functools
import importlib
import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import attrs

import jackfield
from jackfield._calls.translation import SUMMARY_PROMPT
from jackfield._config import defaults as _shared_keys, loader as _config, model_entries as _entries
from jackfield._config.connections import ConnectionConfig
from jackfield._contract import hookspecs as _hookspecs
from jackfield._plugins.registry import Registry
from jackfield._pricing import declared as _money, price_file as _pricefile
from jackfield._types import errors as _errors
from jackfield._types.capabilities import FEATURES, Limits, ModelEntry
from jackfield._types.failures import Failure, error_from_status
from jackfield._types.option_rules import option_rules
from jackfield._types.options import Options
from jackfield._types.policies import _STREAM_FIRST_EVENT, PacePolicy, RetryPolicy, TimeoutPolicy
from jackfield._types.requests import EmbedRequest, RerankRequest
from jackfield.cli._failures import exit_code
from jackfield.plugin import attribute_meanings
from jackfield.testing import checks

DOCS = Path(__file__).parent
PART = re.compile(r"(<!-- generated: (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
WIDTH = 96


# Words out of docstrings


def summary(thing: object) -> str:
    """Return the first sentence of a docstring, on one line."""
    text = " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=[a-z`)\"'\]*])\. (?=[A-Z`])", text, maxsplit=1)[0].rstrip(".") + "." if text else ""


def introduction(thing: object) -> str:
    """Return what a docstring says before its first section, on one line a paragraph, examples left out."""
    text = re.split(r"(?m)^(?:Args|Attributes|Returns|Raises):$", inspect.getdoc(thing) or "")[0]
    paragraphs = [words for words in text.strip().split("\n\n") if not words.startswith((" ", "```"))]
    return "\n\n".join(" ".join(words.split()) for words in paragraphs)


def section(thing: object, name: str) -> dict[str, str]:
    """Read a section of a docstring: what is described, and how."""
    found = re.search(rf"(?ms)^{name}:\n(.*?)(?:\n(?=\S)|\Z)", inspect.getdoc(thing) or "")
    entries: dict[str, str] = {}
    last = ""
    for line in found[1].splitlines() if found else ():
        entry = re.match(r"    ([\w.*]+): ?(.*)", line)
        if entry:
            last = entry[1]
            entries[last] = entry[2]
        elif last:
            entries[last] = f"{entries[last]} {line.strip()}".strip()
    return entries


# Signatures


def written(annotation: object) -> str:
    """Write an annotation as the source does."""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def default_of(value: object) -> str:
    """Write a default value; one that is made anew each time is shown as `...`."""
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        factory = value.factory
        return {dict: "{}", list: "[]"}.get(factory, "...")
    if isinstance(value, frozenset):  # in the same order in every process
        return f"frozenset({{{', '.join(sorted(map(repr, value)))}}})" if value else "frozenset()"
    return "..." if re.search(r"<.* at 0x", repr(value)) else repr(value)


def parameters_of(function: Callable[..., Any]) -> str:
    """Write the parameters of a function, `self` left out."""
    signature = inspect.signature(function)
    shown = []
    for name, parameter in signature.parameters.items():
        if name in {"self", "cls"}:
            continue
        empty = parameter.default is parameter.empty
        default = parameter.default if empty else _Default(default_of(parameter.default))
        shown.append(parameter.replace(annotation=_Written(parameter.annotation), default=default))
    text = str(signature.replace(parameters=shown, return_annotation=signature.empty))
    returns = signature.return_annotation
    return text if returns is signature.empty else f"{text} -> {written(returns)}"


class _Default:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class _Written:
    """An annotation whose repr is the source's text."""

    __module__ = "jackfield"

    def __new__(cls, annotation: object) -> Any:
        return annotation if annotation is inspect.Parameter.empty else super().__new__(cls)

    def __init__(self, annotation: object) -> None:
        self.text = written(annotation)

    def __repr__(self) -> str:
        return self.text


def constructor(cls: Any) -> str:
    """Write how an object of a class is made."""
    if not attrs.has(cls):
        return parameters_of(cls.__init__).removesuffix(" -> None")
    # Where a field has a converter, what that takes.
    taken = {name: one.annotation for name, one in inspect.signature(cls).parameters.items()}
    positional, keyword = [], []
    for field in attrs.fields(cls):
        if field.init and not field.name.startswith("_"):
            default = "" if field.default is attrs.NOTHING else f" = {default_of(field.default)}"
            entry = f"{field.alias}: {written(taken.get(field.alias, field.type))}{default}"
            (keyword if field.kw_only else positional).append(entry)
    return f"({', '.join([*positional, *(['*', *keyword] if keyword else [])])})"


def folded(name: str, rest: str) -> str:
    """Break a long signature at its commas, as the formatter does."""
    if len(name) + len(rest) <= WIDTH:
        return name + rest
    depth, pieces, start = 0, [], 1
    end = 0
    for place, character in enumerate(rest):
        depth += character in "([{"
        depth -= character in ")]}"
        if depth == 0:
            end = place
            break
        if depth == 1 and character == ",":
            pieces.append(rest[start:place].strip())
            start = place + 1
    pieces.append(rest[start:end].strip())
    lines = "".join(f"    {piece},\n" for piece in pieces if piece)
    return f"{name}(\n{lines}){rest[end + 1 :]}"


# The public names


def assigned(module: ModuleType) -> dict[str, tuple[str, str]]:
    """Return the names that a module assigns, each with its value's source and the docstring below it."""
    body = ast.parse(inspect.getsource(module)).body
    found = {}
    for place, node in enumerate(body):
        target = (
            node.targets[0]
            if isinstance(node, ast.Assign)
            else node.target
            if isinstance(node, ast.AnnAssign)
            else None
        )
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.expr):
            below = body[place + 1] if place + 1 < len(body) else None
            words = ""
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                words = " ".join(str(below.value.value).split())
            found[target.id] = (ast.unparse(value), words)
    return found


def members(cls: type) -> Iterator[tuple[str, str, str]]:
    """Return the public methods and properties that a class defines: name, signature and first sentence."""
    for name, value in vars(cls).items():
        if name.startswith("_") or name in getattr(cls, "__slots__", ()):
            continue
        if isinstance(value, property):
            returns = inspect.signature(typing.cast("Any", value.fget)).return_annotation
            yield name, f": {written(returns)}", summary(value)
        elif isinstance(value, classmethod | staticmethod):
            yield name, parameters_of(value.__func__), summary(value.__func__)
        elif inspect.isfunction(value):
            yield name, parameters_of(value), summary(value)


def code(text: str, prefix: str = "") -> str:
    """Write a signature as a block."""
    return f"```text\n{prefix}{text}\n```\n"


def name_entry(name: str, value: Any, module: ModuleType) -> str:
    """Describe one public name."""
    aliases = assigned(module)
    if inspect.isclass(value) and not isinstance(value, typing.TypeVar):
        return class_entry(name, value)
    value = inspect.unwrap(value) if hasattr(value, "cache_info") else value  # a function that remembers
    if inspect.isfunction(value):
        prefix = "async " if inspect.iscoroutinefunction(value) else ""
        return f"### {name}\n\n{code(folded(name, parameters_of(value)), prefix)}\n{summary(value)}\n"
    source, words = aliases.get(name, ("", ""))
    if isinstance(value, tuple):
        source = repr(value)
    shown = f"{name} = {source}" if len(source) <= 4 * WIDTH else name
    return f"### {name}\n\n{code(shown)}" + (f"\n{words}\n" if words else "")


def class_entry(name: str, cls: Any) -> str:
    """Describe a class: how it is made, what it has and what it does."""
    lines = [f"### {name}\n"]
    if typing.is_typeddict(cls):
        fields = "".join(f"    {key}: {_forward(hint)}\n" for key, hint in cls.__annotations__.items())
        declared = code(f"class {name}(TypedDict, total=False):\n{fields}".rstrip())
        return "\n".join([*lines, declared, summary(cls) + "\n", *option_lines(cls), ""])
    if not getattr(cls, "_is_protocol", False):
        lines.append(code(folded(name, constructor(cls))))
    lines.append(introduction(cls) + "\n")
    fields = [
        f"* `{key}`: {words}" for key, words in {**section(cls, "Args"), **section(cls, "Attributes")}.items()
    ]
    lines += [*fields, ""] if fields else []
    for member, signature, words in members(cls):
        function = inspect.getattr_static(cls, member)
        prefix = "async " if inspect.iscoroutinefunction(function) else ""
        shown = f"`{prefix}.{member}{signature}`"
        lines.append(f"* {shown}" + (f"  \n  {words}" if words else ""))
    return "\n".join(lines).rstrip() + "\n"


NOT_SENT: Final = {"timeout", "owner", "labels"}
"""Options that are not part of the request."""


def option_lines(typed: Any) -> Iterator[str]:
    """Describe each keyword option: its meaning from the class that holds it, what is accepted from its rule."""
    holders = (Options, EmbedRequest, RerankRequest)
    holder = next(cls for cls in holders if set(option_rules(cls)) == set(typed.__annotations__) - NOT_SENT)
    meanings = section(holder, "Attributes")
    for name, rule in option_rules(holder).items():
        range_ = [f"{rule.minimum} or more"] if rule.minimum is not None else []
        choices = [" or ".join(map(code_words, rule.choices))] if rule.choices else []
        accepted = ", ".join([*([] if choices else [rule.words]), *range_, *choices])
        yield f"* `{name}` ({accepted}): {meanings[name]}"


def code_words(word: str) -> str:
    """Return a word as it stands in code."""
    return f'`"{word}"`'


def _forward(hint: object) -> str:
    return hint.__forward_arg__ if isinstance(hint, typing.ForwardRef) else written(hint)


# The modules that define the names of each topic, by public module. A part of a page,
# `<!-- generated: names of MODULE about TOPIC -->`, shows one topic; a public module that is
# not named here is a part as a whole: `<!-- generated: names of MODULE -->`.
TOPICS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "jackfield": {
        "the mesh": ("mesh", "explain", "check"),
        "options": ("option_types", "options"),
        "messages": ("content",),
        "replies": ("replies", "parameters", "streams", "usage"),
        "models": ("capabilities",),
        "events": ("events",),
        "cost": ("cost",),
        "configuration": ("loader", "connections", "policies", "secrets", "registry"),
    },
    "jackfield.plugin": {
        "the contract": (
            "protocols",
            "versions",
            "hookspecs",
            "registry",
            "secrets",
            "shared_tokens",
            "keys",
            "connections",
            "tables",
            "cost",
            "meanings",
            "defaults",
            "doubts",
            "sizes",
            "policies",
        ),
        "models": ("capabilities",),
        "requests": (
            "requests",
            "option_rules",
            "options",
            "content",
            "parameters",
            "choices",
            "translating",
            "turns",
            "json_tool",
            "translation",
        ),
        "the wire": (
            "wire",
            "failures",
            "error_bodies",
            "paths",
            "json",
            "json_frames",
            "decoding",
            "event_decoder",
            "wrapped_decoder",
            "events",
            "usage",
            "hints",
            "media",
            "text_files",
        ),
        "middlewares": (
            "middleware",
            "middlewares",
            "owners",
            "bookings",
            "replay",
            "streams",
            "calls",
            "replies",
        ),
        "relays": ("mesh", "relay", "relaying"),
    },
    "jackfield.testing": {
        "programs": (
            "answers",
            "fake_answers",
            "fakes",
            "guard",
            "http_reader",
            "pauses",
            "server",
            "stand_ins",
        ),
        "plugins": ("case", "check", "conformance", "eventstream", "protocols", "toolkit"),
    },
}

# Modules whose names are described on a page of their own.
ELSEWHERE = {"jackfield": {"errors"}}


def public_modules() -> list[str]:
    """Return the names of the public modules of the core."""
    folder = Path(jackfield.__file__).parent
    stems = sorted(path.stem for path in folder.glob("[a-z]*") if path.suffix == ".py" or path.is_dir())
    names = ["jackfield", *(f"jackfield.{stem}" for stem in stems)]
    return [name for name in names if getattr(importlib.import_module(name), "__all__", None)]


def topics() -> Mapping[str, Callable[[], str]]:
    """Return what makes the part of each topic and of each public module without topics, by the part's name."""
    made: dict[str, Callable[[], str]] = {}
    for module in public_modules():
        for topic in TOPICS.get(module, ()):
            made[f"names of {module} about {topic}"] = functools.partial(names_about, module, topic)
        if module not in TOPICS:
            made[f"names of {module}"] = module_names(module)
    return made


def names_about(module_name: str, topic: str) -> str:
    """Describe the public names of a module that belong to one topic.

    Raises:
        SystemExit: A name of the module belongs to no topic.
    """
    module = importlib.import_module(module_name)
    by_origin: dict[str, list[str]] = {}
    for name in module.__all__:
        by_origin.setdefault(stem_of(origin(module, name)), []).append(name)
    known = ELSEWHERE.get(module_name, set()).union(*TOPICS[module_name].values())
    if missing := by_origin.keys() - known:
        raise SystemExit(
            f"docs/generate.py: TOPICS[{module_name!r}] does not name {', '.join(sorted(missing))}"
        )
    entries = []
    for stem in TOPICS[module_name][topic]:
        names = sorted(by_origin.get(stem, ()), key=lambda name: (name != "Mesh", name.lower()))
        entries += [name_entry(name, getattr(module, name), origin(module, name)) for name in names]
    return "\n".join(entries)


def index_of_names() -> str:
    """Link each public name of the core to its entry, a line for each page."""
    entries = []
    for path in sorted((DOCS / "reference/api").glob("*.md")):
        if path.name == "index.md":
            continue
        text = path.read_text("utf-8")
        title = text.partition("\n")[0].removeprefix("# ")
        links = [f"[`{name}`]({path.name}#{anchor})" for name, anchor in anchors_of(regenerated(text))]
        entries.append(f"**{title}**: {', '.join(sorted(links, key=str.lower))}\n")
    return "\n".join(entries)


def anchors_of(text: str) -> Iterator[tuple[str, str]]:
    """Return the names that a page describes, each with the anchor that the site gives its heading."""
    seen: set[str] = set()
    for level, heading in re.findall(r"(?m)^(#+) (.+)$", re.sub(r"(?ms)^```.*?^```$", "", text)):
        anchor = slug = re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-")
        number = 0
        while anchor in seen:
            number += 1
            anchor = f"{slug}_{number}"
        seen.add(anchor)
        if level == "###":
            yield heading, anchor


def stem_of(module: ModuleType) -> str:
    """Return the last part of a module's name, without underscores."""
    return module.__name__.rpartition(".")[2].strip("_")


def module_names(module_name: str) -> Callable[[], str]:
    """Describe the public names of another public module."""

    def made() -> str:
        module = importlib.import_module(module_name)
        return "\n".join(
            name_entry(name, getattr(module, name), origin(module, name)) for name in module.__all__
        )

    return made


def plugin_modules() -> Mapping[str, list[str]]:
    """Return the public modules of every installed plugin of the repository, by the plugin's folder; commands have none."""
    modules: dict[str, list[str]] = {}
    for plugin, path in plugins_here().items():
        for init in sorted(path.parent.glob("src/*/__init__.py")):
            package = init.parent
            if importlib.util.find_spec(package.name) is None:
                continue
            names = [
                package.name,
                *(f"{package.name}.{one.stem}" for one in sorted(package.glob("[a-z]*.py"))),
            ]
            found = [name for name in names if getattr(importlib.import_module(name), "__all__", None)]
            modules.setdefault(plugin, []).extend(found)
    return {plugin: names for plugin, names in modules.items() if names}


def origin(module: ModuleType, name: str) -> ModuleType:
    """Find the module that a public module has a name from."""
    source = imports_of(module).get(name)
    return module if source is None else importlib.import_module(source)


@functools.cache
def imports_of(module: ModuleType) -> Mapping[str, str]:
    """Return the module that each relative import of a module comes from, by name; lazy ones are under TYPE_CHECKING."""
    package = module.__name__ if hasattr(module, "__path__") else module.__name__.rpartition(".")[0]
    nodes = [
        node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.ImportFrom)
    ]
    return {
        alias.name: f"{package}.{node.module}" for node in nodes if node.level == 1 for alias in node.names
    }


# Hooks


def hooks_of(specs: str) -> Callable[[], str]:
    """Describe the hooks of one class of specs, each with its exact signature on one line."""

    def made() -> str:
        entries = []
        for name, function in vars(getattr(_hookspecs, specs)).items():
            if not name.startswith("jackfield_"):
                continue
            required = "Required." if name in _hookspecs.REQUIRED else "Optional."
            words = introduction(function).removesuffix(" Required.")
            raised = "".join(
                f"\nRaises `{error}`: {why}\n" for error, why in section(function, "Raises").items()
            )
            last = "" if specs == "ExtensionSpecs" else f" {required}"
            entries.append(
                f"### {name}\n\n```python\ndef {name}{parameters_of(function)}: ...\n```\n\n{words}{last}\n{raised}"
            )
        return "\n".join(entries)

    return made


# Errors


def error_tree() -> str:
    """Return the tree as the module draws it."""
    return f"```text\n{(inspect.getdoc(_errors) or '').partition(chr(10) * 2)[2].strip()}\n```\n"


def error_table() -> str:
    """Describe every error: its meaning, whether it is retried, and the exit code of the command line."""
    rows = ["| error | means | retryable | exit code |", "|---|---|---|---|"]
    for name in sorted(_errors.__all__, key=_depth_first().index):
        cls = getattr(_errors, name)
        error = cls("", phase="total") if cls is _errors.TimeoutError else cls("")
        code_shown = "1" if cls is _errors.JackfieldError else exit_code(error)
        retried = "yes" if cls.default_retryable else "no"
        rows.append(f"| `{name}` | {summary(cls)} | {retried} | {code_shown} |")
    return "\n".join(rows) + "\n"


def _depth_first() -> list[str]:
    return re.findall(
        r"\b([A-Z]\w+Error)(?=\s|$)", re.sub(r"Python's \w+", "", inspect.getdoc(_errors) or "")
    )


STATUSES = (
    301, 400, 401, 402, 403, 404, 405, 408, 409, 413, 422, 429, 498, 499, 500, 502, 503, 504, 524, 529
)  # fmt: skip


def status_table() -> str:
    """Return the error that the core derives from a status alone."""
    rows = ["| status | error | retryable |", "|---|---|---|"]
    seen: dict[tuple[str, bool], list[str]] = {}
    for status in STATUSES:
        error = error_from_status(Failure(status=status))
        phase = f", phase `{error.phase}`" if isinstance(error, jackfield.TimeoutError) else ""
        seen.setdefault((f"`{type(error).__name__}`{phase}", error.is_retryable), []).append(str(status))
    for (error, retryable), statuses in seen.items():
        rows.append(f"| {', '.join(statuses)} | {error} | {'yes' if retryable else 'no'} |")
    return "\n".join(rows) + "\n"


# Configuration


def toml(value: object) -> str:
    """Write a default as TOML would."""
    if value is attrs.NOTHING:
        return "required"
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        made = value.factory()
        if isinstance(made, TimeoutPolicy | RetryPolicy):
            return "below"
        return {"{}": "`{}`", "()": "`[]`"}.get(repr(made), "`...`")
    if isinstance(value, jackfield.Secret):
        return f'`"{value.reference}"`' if value.reference else "none"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str | Path):
        return f'`"{value}"`'
    if isinstance(value, tuple):
        return f"`[{', '.join(map(repr, value))}]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def key_table(cls: Any, *, left_out: tuple[str, ...] = ()) -> str:
    """Describe the keys that an attrs class reads."""
    words = attribute_meanings(cls)
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for field in attrs.fields(cls):
        if field.init and field.name not in left_out:
            meaning = words.get(field.name) or described_elsewhere(field.name)
            default = toml(field.metadata.get("written", field.default))
            rows.append(f"| `{field.alias}` | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def described_elsewhere(name: str) -> str:
    """Describe a key that many settings classes have and need not describe."""
    known = {**attribute_meanings(ConnectionConfig), **attribute_meanings(_shared_keys.SharedKeys)}
    usual = {"api_key": "A reference to the key.", "base_url": "Where the service is."}
    return usual.get(name) or known.get(name) or ""


def timeout_table() -> str:
    """Describe the phases of `timeout`; `first_event` has a default for streams alone."""
    table = key_table(TimeoutPolicy)
    return table.replace(
        "| `first_event` | none |", f"| `first_event` | `{_STREAM_FIRST_EVENT:g}` for streams |"
    )


def connection_table() -> str:
    """Describe the keys that every connection has."""
    words = {
        **attribute_meanings(ConnectionConfig),
        "provider": "The provider's id.",
        "credentials": "The name of a table `[credentials.NAME]`, where the provider takes one.",
        "models": "The allow-list: ids, patterns that end in `*`, tables (below). Absent allows all, `[]` none.",
    }
    shared = {"provider", "models", "rate"}
    keys = [*_config.CORE_KEYS[:1], "credentials", *_config.CORE_KEYS[1:]]
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for key in keys:
        default = (
            "required" if key == "provider" else "none" if key in shared | {"credentials"} else "`[defaults]`"
        )
        rows.append(f"| `{key}` | {default} | {words[key]} |")
    return "\n".join(rows) + "\n"


def entry_table() -> str:
    """Describe the keys of an entry in `models`."""
    words = {**attribute_meanings(ModelEntry)}
    words["kind"] = "The kind of request it is declared to serve; `kinds` for several."
    rows = ["| key | meaning |", "|---|---|"]
    rows += [f"| `{key}` | {words[key]} |" for key in _entries.KEYS]
    return "\n".join(rows) + "\n"


def feature_table() -> str:
    """Describe the features that `capabilities` may name."""
    rows = ["| feature | means |", "|---|---|"]
    rows += [f"| `{name}` | {meaning} |" for name, meaning in FEATURES.items()]
    return "\n".join(rows) + "\n"


def price_keys() -> str:
    """List the units that `price` may name and the columns of a price file."""
    units = ", ".join(f"`{unit}`" for unit in _money.PRICED)
    columns = ", ".join(f"`{column}`" for column in _pricefile.COLUMNS)
    needed = ", ".join(f"`{column}`" for column in _pricefile.REQUIRED)
    return (
        f"Keys of `price`: `currency`, `per` and {units}.\n\n"
        f"Columns of a price file: {columns}. Required: {needed}.\n"
    )


def provider_keys(name: str) -> Callable[[], str]:
    """Describe the keys of one provider and of the credentials that it brings."""

    def made() -> str:
        info = Registry.installed().provider(name).info
        parts = [key_table(info.settings, left_out=("credentials", "models", *_shared_keys.SHARED_KEYS))]
        if info.credentials:
            parts.append(
                f"`credentials`: a table of kind {' or '.join(f'`{kind}`' for kind in info.credentials)}.\n"
            )
        if info.requires_models:
            parts.append("`models` must be declared.\n")
        if info.model_keys is not None:
            parts.append(f"Keys of an entry in `models`:\n\n{key_table(info.model_keys)}")
        return "\n".join(parts)

    return made


def credential_keys(kind: str) -> Callable[[], str]:
    """Describe the keys of one kind of credentials."""

    def made() -> str:
        return key_table(Registry.installed().credential_kind(kind).settings)

    return made


# Conformance


def check_list() -> str:
    """Describe every check of the kit."""
    entries = []
    area = ""
    for check in checks():
        if check.area != area:
            area = check.area
            entries.append(f"## {area}\n")
        entries.append(
            f"### {check.id}\n\n{check.law}\n\nRemedy: {check.remedy}. Since {check.since}"
            f"{', findings are warnings for now' if check.new else ''}.\n"
        )
    return re.sub(r"\b__(\w+)__", r"\\_\\_\1\\_\\_", "\n".join(entries))


def summary_prompt() -> str:
    """Return the prompt of `summarize`."""
    return f"> {SUMMARY_PROMPT}\n"


def surface_losses() -> str:
    """List what each surface cannot carry."""
    surfaces = importlib.import_module("jackfield_surfaces")
    rows = ["| surface | of a reply | what | reads as | because |", "|---|---|---|---|---|"]
    rows += [
        f"| `{loss.surface}` | `{loss.field}` | {loss.what} | {loss.becomes} | {loss.why} |"
        for loss in surfaces.LOSSES
    ]
    return "\n".join(rows) + "\n"


PROVIDERS: Mapping[str, str] = {
    "openai": "OpenAI and compatible services",
    "onnx": "Local models on ONNX Runtime",
    "anthropic": "Anthropic",
    "azure-openai": "Azure OpenAI",
    "azure-llm": "Azure LLM (model endpoints of Azure AI)",
    "cohere": "Cohere",
    "databricks": "Databricks (Mosaic AI)",
    "mistral": "Mistral AI",
    "bedrock": "AWS Bedrock",
    "sagemaker": "AWS SageMaker",
    "vertex": "Google Vertex AI",
    "snowflake": "Snowflake Cortex",
}


def provider_table() -> str:
    """List the providers: those whose plugin lies in the repository are here, the others planned."""
    here = plugins_here()
    titles = dict(PROVIDERS)
    for name in sorted(here.keys() - titles.keys()):  # an identity that providers share, say
        titles[name] = tomllib.loads(here[name].read_text("utf-8"))["project"]["description"].rstrip(".")
    rows = ["| what | plugin | state |", "|---|---|---|"]
    for name, title in sorted(titles.items(), key=lambda row: row[0] not in here):
        rows.append(f"| {title} | `jackfield-{name}` | {'here' if name in here else 'planned'} |")
    return "\n".join(rows) + "\n"


def plugin_pages() -> str:
    """List the plugins that have public names; for one that is not installed, as its page has them."""
    lines = []
    installed = plugin_modules()
    for plugin in plugins_here():
        page = DOCS / f"reference/plugins/{plugin}.md"
        written = re.findall(r"(?m)^## (.+)$", page.read_text("utf-8")) if page.exists() else []
        modules = installed.get(plugin, written)
        if not modules:
            continue
        names = ", ".join(f"`{name}`" for name in modules)
        lines.append(f"* [jackfield-{plugin}]({plugin}.md): {names}")
    return "\n".join(lines) + "\n"


def plugins_on_plugins() -> str:
    """List the plugins that need others, with all that have to be installed with each."""
    needs = {}
    for name, path in plugins_here().items():
        needed = tomllib.loads(path.read_text("utf-8"))["project"]["dependencies"]
        needs[name] = [found[1] for need in needed if (found := re.match(r"jackfield-([a-z-]+)", need))]
    rows = ["| plugin | with |", "|---|---|"]
    for name, named in needs.items():
        whole = dict.fromkeys(named)
        for other in whole.copy():
            whole |= dict.fromkeys(needs.get(other, ()))
        if whole:
            paths = " ".join(f"./plugins/{other}" for other in sorted(whole))
            rows.append(f"| `./plugins/{name}` | `{paths}` |")
    return "\n".join(rows) + "\n"


def plugins_here() -> dict[str, Path]:
    """Return the `pyproject.toml` of every plugin of the repository, by the plugin's folder.

    One that is being written is here when git knows it; without git, when it lies on the disk.
    """
    root = DOCS.parent
    git = shutil.which("git")
    if git is not None and (root / ".git").exists():
        command = [git, "ls-files", "plugins/*/pyproject.toml"]
        listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split()
        paths = [root / name for name in listed if name.count("/") == 2]
    else:
        paths = list(root.glob("plugins/*/pyproject.toml"))
    return {path.parent.name: path for path in sorted(paths) if path.exists()}


GENERATORS: Mapping[str, Callable[[], str]] = {
    **topics(),
    "index of names": index_of_names,
    "plugin pages": plugin_pages,
    "plugins on plugins": plugins_on_plugins,
    "hooks of providers": hooks_of("ProviderSpecs"),
    "hooks of extensions": hooks_of("ExtensionSpecs"),
    "error tree": error_tree,
    "errors": error_table,
    "statuses": status_table,
    "shared keys": lambda: key_table(_shared_keys.SharedKeys),
    "timeout": timeout_table,
    "retry": lambda: key_table(RetryPolicy),
    "pace": lambda: key_table(PacePolicy),
    "connection keys": connection_table,
    "model keys": entry_table,
    "limits": lambda: key_table(Limits),
    "features": feature_table,
    "price keys": price_keys,
    "checks": check_list,
    "summary prompt": summary_prompt,
    "providers": provider_table,
}


def generator(name: str) -> Callable[[], str] | None:
    """Find what makes a part; None for that of a plugin that is not installed.

    Raises:
        SystemExit: There is no such part.
    """
    what, _, plugin = name.rpartition(" of ")
    if what == "keys":
        return provider_keys(plugin) if Registry.installed().has_provider(plugin) else None
    if what == "keys of credentials":
        return credential_keys(plugin) if plugin in Registry.installed().names("credentials") else None
    if name == "losses of surfaces":
        return surface_losses if importlib.util.find_spec("jackfield_surfaces") else None
    if what == "names" and name not in GENERATORS and plugin.startswith("jackfield_"):
        return module_names(plugin) if importlib.util.find_spec(plugin.partition(".")[0]) else None
    if name not in GENERATORS:
        raise SystemExit(f"docs/generate.py: nothing is called {name!r}")
    return GENERATORS[name]


def regenerated(text: str) -> str:
    """Return a page with all its generated parts regenerated."""

    def replaced(part: re.Match[str]) -> str:
        make = generator(part[2])
        return part[0] if make is None else f"{part[1]}\n{make().strip()}\n\n{part[4]}"

    return PART.sub(replaced, text)


def documented(kind: str) -> list[str]:
    """Name the plugins of a kind whose keys are described: installed, and of this repository."""
    here = plugins_here()
    states = [state for state in Registry.installed().plugins() if state.kind == kind]
    return [state.name for state in states if (state.distribution or "").removeprefix("jackfield-") in here]


def with_all_plugins(text: str) -> str:
    """Return the configuration page with a place for the keys of every plugin."""
    text = with_places(
        text, "## `[aliases]`\n", "keys of credentials of", "### kind = ", documented("credentials")
    )
    return with_places(text, "## Environment\n", "keys of", "### ", documented("provider"))


def with_places(text: str, before: str, part: str, heading: str, names: list[str]) -> str:
    """Return a page with the missing parts inserted before a heading."""
    head, mark, tail = text.partition(before)
    for name in names if mark else ():
        start = f"<!-- generated: {part} {name} -->\n"
        if start not in head:
            title = f'{heading}"{name}"' if heading.endswith("= ") else heading + name
            head += f"{title}\n\n{start}<!-- end -->\n\n"
    return head + mark + tail


def pages() -> Mapping[Path, str]:
    """Return the text of every page, with a place for each part; a plugin without a page gets one."""
    found = {
        path: path.read_text("utf-8") for path in [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))]
    }
    made = {path: with_all_plugins(text) for path, text in found.items()}
    for plugin, modules in plugin_modules().items():
        path = DOCS / f"reference/plugins/{plugin}.md"
        text = made.get(path, f"# jackfield-{plugin}\n")
        for name in modules:
            start = f"<!-- generated: names of {name} -->\n"
            text += "" if start in text else f"\n## {name}\n\n{start}<!-- end -->\n"
        made[path] = text
    return made


def parts(text: str) -> list[str]:
    """Name the generated parts of a page."""
    return [match[2] for match in PART.finditer(text)]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 if `--check` found something."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, say what is out of date")
    options = parser.parse_args(arguments)
    stale = []
    for path, text in pages().items():
        made = regenerated(text)
        if not path.exists() or made != path.read_text("utf-8"):
            stale.append(str(path.relative_to(DOCS.parent)))
            if not options.check:
                path.write_text(made, "utf-8")
    if stale:
        print(f"{'out of date' if options.check else 'written'}: {', '.join(stale)}")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
