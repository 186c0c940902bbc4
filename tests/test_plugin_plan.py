"""One plan for all providers: a file name says what is inside, the same in every plugin and in the template."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ROLES = {
    "__init__": "the hooks, in the same order, one line each",
    "_settings": "what an administrator writes",
    "_dialect": "values: how this service, or another's dialect here, differs",
    "_names": "ids -> names of the table",
    "_models": "the table: capabilities, known models, retirement",
    "_prices": "rates",
    "_routes": "which API a request goes to, and who reads its answer",
    "_messages": "messages and their parts",
    "_prompt": "a chat as the prompt of a text completion",
    "_options": "options that several APIs share",
    "_tools": "tools and structured output",
    "_reasoning": "`reasoning=` for each family",
    "_usage": "token counts",
    "_relay": "a client's request that is handed on as it came",
    "_errors": "failures",
    "_listing": "the live list of models",
    "_credentials": "identities",
    "_transport": "a transport of the plugin's own",
    "dialect": "what sister plugins use; re-exports only",
}
APIS = {
    "_chat", "_complete", "_completion", "_responses", "_embeddings", "_rerank", "_summary", "_count", "_template", "_converse",
    "_invoke", "_gemini", "_palm", "_sql",
}  # fmt: skip

# A file outside the plan, and why this provider has it.
REASONS: dict[str, dict[str, str]] = {
    "anthropic": {
        "_blocks": "the content blocks of an answer, which the decoder of messages reads whole and in pieces",
        "_schemas": "schemas in the subset to which the service holds models; Bedrock has the same",
        "_iterations": "the requests that a call consisted of, which both usage and prices read",
    },
    "azure-llm": {
        "_target": "Target URIs, as copied from a portal, which settings, dialect and routes use",
    },
    "azure-openai": {
        "_address": "the base address: endpoint and version in all their forms, for two APIs",
        "_clouds": "the clouds, and what tokens are asked for in each; the plugin azure-llm has the same",
        "identity": "the kind `azure` of `[credentials]`, public: the entry point and other providers of Azure name it",
    },
    "bedrock": {
        "_files": "files at Converse: their names, formats and places",
        "_guardrails": "what a guardrail did, which decoders and errors tell",
    },
    "cohere": {
        "_decoder": "what the decoders of all APIs share: frames that are JSON objects, warnings, finish reasons",
    },
    "openai": {
        "_answer_fields": "fields that the answers of several APIs have in common: finish reasons, log probabilities, citations",
        "_background": "answers that are computed in the background: polls, streams that are taken up again, cancellation",
        "_compatible": "`compatible()`: the plugin as an object, for any other service of the dialect",
        "_responses_items": "the items of an answer of Responses, which come in pieces, whole, or both",
        "_state": "what Responses keep: answers that are continued, stored, or computed in the background",
        "_tool_calls": "which tool call a piece of an answer belongs to, for all servers of the dialect",
        "_transports": "the ways to Responses beside HTTP, whose modules load late",
        "_websocket": "Responses over WebSockets, which carry one answer after another",
    },
    "onnx": {
        "_commands": "the command line's group `jackfield onnx`",
        "_decoder": "one decoder for all APIs: the engine's frames name their data",
        "_local_errors": "the errors of the engine, below its packages; `_errors` maps them to Jackfield's",
        "_requests": "wires become requests to the engine, which for other providers a service does",
    },
    "sagemaker": {
        "_placeholders": "placeholders in the body of a template, which settings check and requests fill in",
    },
    "snowflake": {
        "_entries": "entries of `connections.toml`, which both identities and logins read",
        "_finish": "a decoder around those of all routes: why an answer ended, and its credits",
        "_keys": "tokens that a private key signs",
        "_login": "what is declared, as the driver's parameters",
        "_sessions": "the sessions of SQL, in threads",
    },
    "vertex": {
        "_citations": "grounding and citations, whose places are counted in bytes",
        "_keys": "the keys of `[credentials.NAME]`, which `_tokens` reads and `_credentials` shares",
        "_partial": "the arguments of a tool call, which come in pieces by JSON path",
        "_tokens": "tokens by google-auth, in a thread: it is imported when a connection opens",
    },
}


def providers() -> list[str]:
    """Return the folders of the plugins that provide models."""
    found = []
    for path in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        table = tomllib.loads(path.read_text("utf-8"))["project"]
        if "jackfield.providers.v1" in table.get("entry-points", {}):
            found.append(path.parent.name)
    return found


def is_planned(stem: str) -> bool:
    """Return whether a file name is one of the plan's: a role, an API, or the decoder or fast path of an API."""
    base = re.sub(r"_(decoder|fast_path|v\d)$", "", stem)
    return stem in ROLES or base in APIS or re.sub(r"_v\d$", "", base) in APIS


def package_of(provider: str) -> Path:
    """Return the folder of a provider's package; beside it, an extension may have a package of its own."""
    table = tomllib.loads((ROOT / f"plugins/{provider}/pyproject.toml").read_text("utf-8"))["project"]
    (module,) = table["entry-points"]["jackfield.providers.v1"].values()
    return ROOT / f"plugins/{provider}/src" / module


def hooks_in(path: Path) -> list[str]:
    """Return the names of the hooks that a file defines, in its order."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    found = [(node.lineno, node.name) for node in nodes if isinstance(node, ast.FunctionDef)]
    return [name for _, name in sorted(found) if name.startswith("jackfield_")]


@pytest.mark.parametrize("provider", providers())
def test_hooks_of_a_provider_are_in_the_order_of_the_contract(provider):
    order = hooks_in(ROOT / "core/src/jackfield/_contract/hookspecs.py")
    hooks = hooks_in(package_of(provider) / "__init__.py")
    assert len(hooks) >= 6
    assert hooks == sorted(hooks, key=order.index)


@pytest.mark.parametrize("provider", providers())
def test_files_of_a_provider_are_named_by_the_plan(provider):
    package = package_of(provider)
    stems = {path.stem for path in package.glob("*.py")}
    unknown = {stem for stem in stems if not is_planned(stem)} - set(REASONS.get(provider, ()))
    assert unknown == set()
    assert set(REASONS.get(provider, ())) <= stems, "a reason without its file"


def test_files_of_the_template_are_named_by_the_plan():
    names = {re.sub(r"\{%.*?%\}", "", path.name) for path in (ROOT / "plugin_template/src").rglob("*.jinja")}
    stems = {name.removesuffix(".py.jinja") for name in names if name.endswith(".py.jinja")}
    assert {"__init__", "_routes", "_chat", "_chat_decoder", "_models", "_prices"} <= stems
    # It stands in for the service's SDK until the author deletes it.
    assert {stem for stem in stems if not is_planned(stem)} == {"_sdk"}
