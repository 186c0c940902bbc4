"""What is wrong with a configuration is told at once, when it is loaded."""

import pytest
from mistakes import every_type_is_told, mistakes_of, told_alone_and_together

from jackfield import Mesh
from jackfield_vertex._keys import GoogleCredentials
from jackfield_vertex._settings import VertexSettings


def declared(values):
    connection = {"provider": "vertex", "project": "my-project", **values}
    return {"credentials": {"a": {"kind": "google"}}, "connections": {"v": connection}}


def identity(values):
    return {"credentials": {"a": {"kind": "google", **values}}, "connections": {}}


def test_a_wrong_type_of_every_key_is_told_at_once():
    config = declared({})
    every_type_is_told(VertexSettings, config, config["connections"]["v"], "connections.v")
    config = identity({})
    every_type_is_told(GoogleCredentials, config, config["credentials"]["a"], "credentials.a")


def test_every_wrong_form_is_told_alone_and_with_the_others():
    told_alone_and_together(
        declared,
        [
            ({"project": "My Project"}, "project must be a project's id or number, not 'My Project'"),
            ({"quota_project": "a/b"}, "quota_project must be"),
            ({"location": "europe-west4-b"}, "not 'europe-west4-b'; write \"europe-west4\""),
            ({"location": "eu-central-1"}, "location must be a region"),
            ({"location": ""}, "location must be a region"),
            ({"safety": {"HARASSMENT": "BLOCK_NON"}}, "safety: 'HARASSMENT' is not a valid category"),
            ({"safety": {"HARASSMENT": "BLOCK_NON"}}, "safety.HARASSMENT must be one of BLOCK_LOW_AND_ABOVE"),
            ({"api_key": "env:K", "credentials": "a"}, "are two identities"),
        ],
    )
    told_alone_and_together(
        identity,
        [
            ({"token": "env:T", "impersonate": "reader"}, "cannot impersonate with a ready token"),
            ({"token": "env:T", "impersonate": "reader"}, "impersonate must be the e-mail"),
            ({"refresh_token": "env:R"}, "needs client_id and client_secret"),
            ({"refresh_token": "env:R", "key": "file:k"}, "has several identities"),
            ({"scopes": []}, "scopes is empty"),
        ],
    )


def test_a_missing_project_hides_no_other_mistake(monkeypatch):
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    said = mistakes_of(
        {"connections": {"v": {"provider": "vertex", "location": "x y", "quota_project": "x y"}}}
    )
    assert "project is missing" in said
    assert "location must be" in said
    assert "quota_project must be" in said


@pytest.mark.parametrize(
    "values",
    [
        {"location": "atlantis-south12"},  # one that nobody has heard of yet
        {"location": "global"},
        {"location": "eu"},
        {"project": "example.com:my-project"},
        {"project": "123456789"},
        {"safety": {"HARM_CATEGORY_NEW_ONE": "OFF"}},
    ],
)
def test_what_is_well_formed_passes(values):
    assert Mesh.from_config(declared(values)).connections
