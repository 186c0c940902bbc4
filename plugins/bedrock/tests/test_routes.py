"""Choose the API for a request."""

import pytest
from bedrock_requests import CLAUDE, chat

from jackfield import ConfigurationError
from jackfield.plugin import ModelRef
from jackfield_bedrock._models import route_of, row_of


def test_the_route_can_be_forced_and_the_report_says_so():
    for route, path in (("converse", "converse"), ("invoke", "invoke")):
        translation = chat(CLAUDE, declared={"route": route}, max_tokens=5)
        assert translation.wire.path == f"/model/{CLAUDE.replace(':', '%3A')}/{path}"
        note = translation.report["route"]
        assert (note.value, "the entry in `models`" in note.why) == (route, True)
    assert "table's route" in chat(CLAUDE).report["route"].why
    for route in ("openai", "mantle", "responses"):
        assert chat(CLAUDE, declared={"route": route}, max_tokens=5).report["route"].value == route
    with pytest.raises(ConfigurationError, match="must be one of"):
        chat(CLAUDE, declared={"route": "telegraph"})


@pytest.mark.parametrize(
    "model", ["cohere.command-text-v14", "ai21.j2-mid-v1", "meta.llama2-13b-chat-v1", "anthropic.claude-v2"]
)
def test_a_model_that_completes_text_can_be_forced_to_converse(model):
    assert chat(model, declared={"route": "converse"}).wire.path.endswith("/converse")


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("us.meta.llama3-1-8b-instruct-v1:0", "llama"),
        ("us.meta.llama3-2-90b-instruct-v1:0", "llama"),
        ("us.meta.llama3-3-70b-instruct-v1:0", "llama"),
        ("us.mistral.pixtral-large-2502-v1:0", "openai-like"),
    ],
)
def test_whole_families_have_native_bodies(model, body):
    assert row_of(model)["native"] == body
    assert route_of(ModelRef(model, declared={"route": "invoke"}))[0] == "invoke"
