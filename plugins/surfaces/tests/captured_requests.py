"""Requests of real clients, captured at a loopback server; they lie beside the repository, in `../shared/gateway`."""

import json
import os
import re
from pathlib import Path

import pytest

__all__ = ["SURFACES_BY_PATH", "folder", "of_file", "requests"]

_FOLDER = Path(__file__).parents[4] / "shared" / "gateway" / "captured"
SURFACES_BY_PATH = {
    "/v1/chat/completions": "openai.chat",
    "/v1/responses": "openai.responses",
    "/v1/messages": "anthropic.messages",
    "/v1/messages/count_tokens": "anthropic.count_tokens",
}


def folder():
    """Return the folder of the captured requests; skip the test if it is missing, or fail in CI."""
    if not _FOLDER.is_dir():
        message = "the captured requests are not here; they lie beside the repository in shared/gateway"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return _FOLDER


def _filled(value):
    """Return a body with texts of the length of those that were taken out."""
    if isinstance(value, str):
        return re.sub(r"\{\{text:(\d+)\}\}", lambda found: f"text of {found[1]} characters", value)
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if isinstance(value, dict):
        return {name: _filled(item) for name, item in value.items()}
    return value


def of_file(name):
    """Return the requests of one file that a surface reads: its name, the headers, the body."""
    found = []
    for request in json.loads((folder() / f"{name}.json").read_text("utf-8")).get("requests", ()):
        body, surface = request.get("body"), SURFACES_BY_PATH.get(request.get("path"))
        if "websocket_of" in request:
            surface = (
                "openai.responses"
                if isinstance(body, dict) and body.get("type") == "response.create"
                else None
            )
        whole = isinstance(body, dict) and "left out" not in json.dumps(body)
        if surface is not None and whole:
            found.append((surface, request.get("headers") or {}, _filled(body)))
    return found


def requests():
    """Return all requests: file, number, surface, headers, body."""
    return [
        (path.stem, number, *request)
        for path in sorted(folder().glob("*.json"))
        for number, request in enumerate(of_file(path.stem))
    ]
