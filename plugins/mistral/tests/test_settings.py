"""What is wrong with a configuration is told at once, when it is loaded."""

from mistakes import every_type_is_told, mistakes_of

from jackfield_mistral._settings import MistralSettings


def declared(values):
    return {"connections": {"m": {"provider": "mistral", **values}}}


def test_a_wrong_type_of_every_key_is_told_at_once():
    config = declared({})
    every_type_is_told(MistralSettings, config, config["connections"]["m"], "connections.m")


def test_an_address_and_a_key_that_are_none_are_told_together():
    said = mistakes_of(declared({"base_url": "api.mistral.ai", "api_key": "a-key"}))
    assert "connections.m.base_url: must begin with" in said
    assert "connections.m.api_key: " in said
