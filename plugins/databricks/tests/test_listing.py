"""The live list of serving endpoints."""

from __future__ import annotations

import json

import pytest

import jackfield_databricks as databricks
from jackfield import MalformedResponseError
from jackfield.plugin import Head, Headers


def test_the_listing_names_the_model_behind_an_endpoint():
    entities = [{"external_model": {"provider": "openai", "name": "gpt-4o", "task": "llm/v1/chat"}}]
    endpoints = [
        {"name": "ours", "task": "llm/v1/chat", "config": {"served_entities": entities}},
        {"name": "databricks-meta-llama-3-1-405b-instruct"},
    ]
    cards, after = databricks.jackfield_discover().parse(
        Head(200), json.dumps({"endpoints": endpoints}).encode()
    )
    assert [(card.id, card.underlying, card.retired) for card in cards] == [
        ("ours", "openai:gpt-4o", None),
        ("databricks-meta-llama-3-1-405b-instruct", None, "2026-02-15"),
    ]
    assert after is None


def test_a_login_page_is_not_a_listing():
    with pytest.raises(MalformedResponseError, match="login page"):
        databricks.jackfield_discover().parse(Head(200, Headers({"content-type": "text/html"})), b"<html>")
