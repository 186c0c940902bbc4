"""Translate requests by a declared template."""

import json

import pytest
from sagemaker_endpoints import ref, translated
from sagemaker_templates import TEXT, body_of, prompt, wired

from jackfield import Image, Mesh, Message, Thinking, UnsupportedError
from jackfield.plugin import ChatRequest, EmbedRequest, Options, SummarizeRequest


def test_a_conversation():
    messages = (Message("user", "A?"), Message("assistant", "B."), Message("user", "C?"))
    request = ChatRequest(messages, Options(system="Be brief."))
    template = {
        "body": {"m": "{{messages}}"},
        "roles": {"assistant": "bot", "role": "who", "content": "says"},
    }
    made = translated(ref("template", template={**TEXT, **template}), request)
    assert made.wire.body == {
        "m": [{"who": "system", "says": "Be brief."}, {"who": "user", "says": "A?"}, {"who": "bot", "says": "B."}, {"who": "user", "says": "C?"}]
    }  # fmt: skip
    assert made.report["system"].wire == "m[0]"
    apart = {"body": {"s": "{{system}}", "m": "{{messages}}"}}
    assert wired(apart, request).body["s"] == "Be brief."
    assert len(wired(apart, request).body["m"]) == 3


def test_what_a_conversation_may_not_hold():
    template = {"body": {"m": "{{messages}}"}}
    with pytest.raises(UnsupportedError, match="images"):
        wired(template, ChatRequest((Message("user", (Image(data=b"x", media_type="image/png"),)),)))
    thought = Message("assistant", (Thinking("hm", "anthropic", "m"),))
    made = translated(
        ref("template", template={**TEXT, **template}), ChatRequest((Message("user", "a"), thought))
    )
    assert made.report["messages[1]"].fate == "dropped"


def test_other_kinds():
    assert wired({"body": {"t": "{{text}}"}}, SummarizeRequest("Long.")).body == {"t": "Long."}
    template = {"body": {"t": "{{texts}}", "d": "{{dimensions}}"}, "embeddings": "v", "text": None}
    assert wired(template, EmbedRequest(inputs=("a", "b"), dimensions=2)).body == {"t": ["a", "b"], "d": 2}


def test_a_body_that_is_no_json():
    template = {"body": "{{prompt}}", "content_type": "text/plain", "accept": "text/plain"}
    wire = wired(template, prompt('"ä\n{{system}}'))
    assert wire.body == '"ä\n{{system}}'.encode()
    assert wire.headers == {"Content-Type": "text/plain", "Accept": "text/plain"}


def test_an_option_without_a_place_is_refused_or_dropped_and_reported():
    with pytest.raises(UnsupportedError, match="temperature"):
        body_of({"q": "{{prompt}}"}, prompt(temperature=0.5))
    made = translated(
        ref("template", template={**TEXT, "body": {"q": "{{prompt}}"}}),
        prompt(temperature=0.5, unsupported="drop"),
    )
    assert made.report["temperature"].fate == "dropped"
    assert made.wire.body == {"q": "Hi"}


def test_the_report_names_the_places():
    made = translated(
        ref(
            "template",
            template={**TEXT, "body": {"q": "{{prompt}}", "c": {"n": "{{max_tokens}}"}, "seed": "{{seed}}"}},
        ),
        prompt(max_tokens=3, seed=1),
    )
    assert (made.report["max_tokens"].fate, made.report["max_tokens"].wire) == ("renamed", "c.n")
    assert made.report["seed"].fate == "sent"


def test_extra_goes_into_the_body():
    made = body_of({"q": "{{prompt}}", "c": {"a": 1}}, prompt(extra={"sagemaker": {"c": {"b": 2}}}))
    assert made == {"q": "Hi", "c": {"a": 1, "b": 2}}


def test_the_declaration_is_never_changed():
    body = {"q": ["{{prompt}}", {"n": "{{max_tokens}}"}]}
    before = json.dumps(body)
    body_of(body, prompt(max_tokens=1, extra={"sagemaker": {"x": 1}}))
    assert json.dumps(body) == before


def test_a_conversation_for_a_template_that_takes_a_prompt():
    template = {"body": {"q": "{{prompt}}"}, **TEXT}
    request = ChatRequest((Message("user", "Why?"),), Options(system="S"))
    model = ref("template", template=template, prompt="llama-2")
    made = translated(model, request)
    assert made.wire.body == {"q": "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nWhy? [/INST]"}
    with pytest.raises(UnsupportedError, match="no prompt format"):
        translated(ref("template", template=template), request)
    from jackfield_sagemaker._models import capabilities
    from jackfield_sagemaker._routes import translate

    declared = translate(model, request, capabilities(model))
    assert declared.wire.body == made.wire.body
    assert declared.report["chat"].fate == "emulated"


async def test_explain_shows_what_a_template_makes():
    entry = {
        "id": "e",
        "mode": "template",
        "kind": "completion",
        "template": {"body": {"q": ["{{prompt}}"]}, "text": "r[0]"},
    }
    made = {
        "connections": {
            "c": {"provider": "sagemaker", "region": "eu-central-1", "rate": {"hour": "1"}, "models": [entry]}
        }
    }
    async with Mesh.from_config(made) as mesh:
        plan = mesh.explain("c:e", "Hi", kind="completion")
    assert plan.body == {"q": ["Hi"]}
    assert plan.wire.meta["template"] == {"text": "r[0]"}
    assert plan.url == "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/e/invocations"
