"""Mistakes in the configuration are reported all at once, when it is loaded."""

from mistakes import every_type_is_told, mistakes_of, told_alone_and_together

from jackfield_azure_llm._settings import AzureLLMModelKeys, AzureLLMSettings

URI = "https://name.eastus.models.ai.azure.com"
ENTRY = {"id": "m", "underlying": "deepseek-r1"}


def declared(values):
    connection = {"provider": "azure-llm", "target_uri": URI, "models": [ENTRY], **values}
    return {"credentials": {"a": {"kind": "azure"}}, "connections": {"z": connection}}


def with_entry(values):
    return declared({"models": [{**ENTRY, **values}]})


def test_wrong_types_of_all_keys_are_reported_at_once():
    config = declared({})
    every_type_is_told(AzureLLMSettings, config, config["connections"]["z"], "connections.z")
    entry = dict(ENTRY)
    every_type_is_told(AzureLLMModelKeys, declared({"models": [entry]}), entry, "connections.z.models[0]")


def test_each_mistake_is_reported_alone_and_with_the_others():
    told_alone_and_together(
        declared,
        [
            ({"target_uri": "my-endpoint"}, "has no full host name"),
            ({"target_uri": "https://ml.azure.com/x"}, "is a page of the portal"),
            ({"credentials": "a", "api_key": "env:K"}, "has both api_key and credentials"),
        ],
    )
    told_alone_and_together(
        with_entry,
        [
            ({"target_uri": "ftp://x.y"}, "must begin with https://"),
            ({"deployment": "my deployment"}, "deployment must be"),
        ],
    )


def test_every_entry_without_an_address_is_reported():
    entries = [{**ENTRY, "id": "one"}, {**ENTRY, "id": "two"}]
    said = mistakes_of({"connections": {"z": {"provider": "azure-llm", "models": entries}}})
    assert "models[one] has no target_uri" in said
    assert "models[two] has no target_uri" in said


def test_mistakes_of_the_connection_and_of_its_entries_are_reported_together():
    said = mistakes_of(declared({"target_uri": "x", "models": [{**ENTRY, "deployment": "a b"}]}))
    assert "connections.z: the target URI 'x'" in said
    assert "connections.z.models[0]: deployment must be" in said
