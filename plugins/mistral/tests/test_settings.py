"""Settings: mistakes are reported all at once, when the configuration is loaded."""

from __future__ import annotations

import pytest
from mistakes import every_type_is_told, mistakes_of

import jackfield_mistral as mistral
from jackfield import Mesh, MissingCredentialError
from jackfield_mistral import MistralSettings


def declared(values):
    return {"connections": {"m": {"provider": "mistral", **values}}}


def test_wrong_types_of_all_keys_are_reported_at_once():
    config = declared({})
    every_type_is_told(MistralSettings, config, config["connections"]["m"], "connections.m")


def test_an_invalid_address_and_an_invalid_key_are_reported_together():
    said = mistakes_of(declared({"base_url": "api.mistral.ai", "api_key": "a-key"}))
    assert "connections.m.base_url: must begin with" in said
    assert "connections.m.api_key: " in said


def test_address_and_authentication():
    access = mistral.jackfield_transport(MistralSettings(base_url="https://api.us.mistral.ai/"))
    assert access.base_url == "https://api.us.mistral.ai"
    assert (access.auth.name, access.auth.prefix) == ("Authorization", "Bearer ")


async def test_the_key_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("MISTRAL_API_KEY", raising=False)
    async with Mesh.from_config({"connections": {"m": {"provider": "mistral"}}}) as mesh:
        with pytest.raises(MissingCredentialError, match="MISTRAL_API_KEY"):
            await mesh.embed("m:mistral-embed", ["a"])
