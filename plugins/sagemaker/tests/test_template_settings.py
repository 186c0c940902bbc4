"""Templates that cannot work."""

import pytest

from jackfield import ConfigurationError, Mesh
from jackfield_sagemaker._settings import Template, TemplateStream


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"body": {"{{prompt}}": 1}, "text": "t"}, "a key must not contain"),
        ({"body": {"a": 1}, "text": "t"}, "must contain one of the placeholders"),
        ({"body": {"a": "{{prompt}}"}}, "text is missing"),
        ({"body": {"a": "{{prompt}}"}, "text": "a["}, "text is not a valid JMESPath"),
        ({"body": {"a": "{{prompt}}"}, "text": "a", "finish": "((("}, "finish is not a valid JMESPath"),
        ({"body": {"a": "{{prompt}}"}, "text": "a", "error": "nothing(@"}, "error is not a valid JMESPath"),
        ({"body": {"a": "{{texts}}"}}, "belong together"),
        ({"body": {"a": "{{prompt}}"}, "text": "a", "embeddings": "b"}, "belong together"),
        ({"body": "Say: {{prompt}}", "text": "a", "content_type": "text/plain"}, "one placeholder"),
        ({"body": {"a": "{{messages}}"}, "text": "a", "roles": {"bot": "x"}}, "unknown key bot"),
    ],
)
def test_what_cannot_work_is_refused_at_load(template, words):
    with pytest.raises(ConfigurationError, match=words):
        Template(**template)


def test_streams_that_cannot_work_are_refused_at_load():
    for wrong in ({"framing": "sse"}, {"framing": "text", "text": "t"}, {"framing": "json", "text": "["}):
        with pytest.raises(ConfigurationError):
            TemplateStream(**wrong)


def test_everything_wrong_is_said_when_the_config_is_loaded():
    entry = {
        "id": "e",
        "mode": "template",
        "kind": "completion",
        "template": {"body": {"q": "{{promt}}"}, "text": "t", "sream": {}},
    }
    made = {
        "connections": {
            "c": {"provider": "sagemaker", "region": "eu-central-1", "rate": {"hour": "1"}, "models": [entry]}
        }
    }
    with pytest.raises(ConfigurationError) as caught:
        Mesh.from_config(made)
    assert "stream" in str(caught.value), "did you mean"
    entry["template"].pop("sream")
    with pytest.raises(ConfigurationError, match="promt"):
        Mesh.from_config(made)
