"""What is wrong with a configuration is told at once, when it is loaded."""

from mistakes import every_type_is_told, mistakes_of

from jackfield_cohere._settings import CohereSettings


def declared(values):
    return {"connections": {"c": {"provider": "cohere", **values}}}


def test_a_wrong_type_of_every_key_is_told_at_once():
    config = declared({})
    every_type_is_told(CohereSettings, config, config["connections"]["c"], "connections.c")


def test_a_name_that_no_header_can_carry_is_told():
    for name in ("", " a", "a\r\nx-evil: 1", "Müller"):
        assert "client_name must be printable ASCII" in mistakes_of(declared({"client_name": name}))


def test_an_address_and_a_key_that_are_none_are_told_together():
    said = mistakes_of(declared({"base_url": "api.cohere.com", "api_key": "a-key"}))
    assert "connections.c.base_url: must begin with" in said
    assert "connections.c.api_key: " in said
