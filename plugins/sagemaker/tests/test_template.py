"""The custom query template: what it can say, what it refuses, and that no template and no prompt can do harm."""

import json

import pytest
from hypothesis import given, strategies as st
from sagemaker_endpoints import enveloped, events_of, ref, translated

from jackfield import (
    ConfigurationError,
    Finish,
    Image,
    MalformedResponseError,
    Mesh,
    Message,
    StreamInterruptedError,
    TextDelta,
    Thinking,
    UnsupportedError,
    UsageUpdate,
)
from jackfield.http import framer_for
from jackfield.plugin import (
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    FailureInStream,
    Frame,
    Options,
    SummarizeRequest,
)
from jackfield_sagemaker._settings import Template, TemplateStream

TEXT = {"text": "out"}


def wired(template, request):
    return translated(ref("template", template={**TEXT, **template}), request).wire


def body_of(body, request):
    return wired({"body": body}, request).body


def prompt(text="Hi", stream=False, **options):
    return CompletionRequest(text, Options(**options), stream)


def read(template, answer, request=None):
    wire = wired({"body": "{{prompt}}", **template}, request or prompt())
    return events_of(wire, [Frame(json.dumps(answer).encode())])


# What is sent


def test_values_keep_their_types_and_what_was_not_given_is_left_out():
    body = {
        "q": "{{prompt}}", "cfg": {"n": "{{max_tokens}}", "t": "{{temperature}}", "k": "{{top_k}}", "s": "{{stop}}"},
        "list": ["{{prompt}}", "{{seed}}", 1, None, True], "live": "{{stream}}", "fixed": {"a": [1.5, "x"]},
    }  # fmt: skip
    made = body_of(body, prompt("Hi", max_tokens=0, temperature=0.0, stop=("a", "b")))
    assert made == {
        "q": "Hi", "cfg": {"n": 0, "t": 0.0, "s": ["a", "b"]}, "list": ["Hi", 1, None, True], "live": False,
        "fixed": {"a": [1.5, "x"]},
    }  # fmt: skip


def test_texts_may_stand_inside_longer_strings():
    made = body_of(
        {"q": "### System: {{system}}\n### User: {{ prompt }}\n###"}, prompt("Hi", system="Be brief.")
    )
    assert made == {"q": "### System: Be brief.\n### User: Hi\n###"}
    assert body_of({"q": "{{system}}|{{prompt}}"}, prompt("Hi")) == {"q": "|Hi"}


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


# What is read


def test_an_answer_by_paths():
    template = {
        "text": "r[*].say", "finish": "r[*].why", "finish_map": {"done": "stop", "full": "length"}, "input_tokens": "n.i",
        "output_tokens": "length(r)",
    }  # fmt: skip
    events = read(template, {"r": [{"say": "A", "why": "done"}, {"say": "B", "why": "full"}], "n": {"i": 7}})
    assert [(e.text, e.choice) for e in events if isinstance(e, TextDelta)] == [("A", 0), ("B", 1)]
    assert [(e.reason, e.raw) for e in events if isinstance(e, Finish)] == [
        ("stop", "done"),
        ("length", "full"),
    ]
    (used,) = [e.usage for e in events if isinstance(e, UsageUpdate)]
    assert (used.input_tokens, used.output_tokens) == (7, 2)


@pytest.mark.parametrize(
    "answer", [{}, {"out": None}, {"out": 1}, {"out": {"a": 1}}, {"out": ["a", 1]}, {"out": []}, [], "x"]
)
def test_a_path_that_finds_no_text_is_a_malformed_answer(answer):
    with pytest.raises(MalformedResponseError, match="out"):
        read({}, answer)


def test_an_answer_that_is_plain_text():
    wire = wired({"body": "{{prompt}}", "text": "@"}, prompt())
    for content_type, body in (
        ("text/plain", "ä b".encode()),
        ("text/html; charset=utf-8", b'"quoted"'),
        ("application/json", b'"quoted"'),
    ):
        events = events_of(wire, [Frame(body)], {"content-type": content_type})
        assert [e.text for e in events if isinstance(e, TextDelta)] == [body.decode().strip('"')]
    with pytest.raises(MalformedResponseError, match="no JSON"):
        events_of(wire, [Frame(b"a b")], {"content-type": "application/json"})


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


def test_an_error_with_a_good_status():
    with pytest.raises(FailureInStream) as caught:
        read({"error": "problem.words"}, {"problem": {"words": "no engine"}})
    assert caught.value.failure.data == {"error": "no engine"}


@pytest.mark.parametrize(
    ("stream", "body", "said", "raw"),
    [
        ({"framing": "sse", "text": "d.t", "finish": "f"}, b'data: {"d":{"t":"\xc3\xa4"}}\n\ndata: {"d":{"t":"b"},"f":"done"}\n\ndata: [DONE]\n\n', "äb", "done"),
        ({"framing": "jsonlines", "text": "t"}, b'{"t":"\xc3\xa4"}\n{"t":"b"}\n', "äb", None),
        ({"framing": "json", "text": "t"}, b'{"t":"\xc3\xa4"} {"t":"}{"}{"t":"b"}', "ä}{b", None),
        ({"framing": "text"}, "ä𝄞b".encode(), "ä𝄞b", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_streams(stream, body, said, raw, size):
    wire = wired({"body": {"q": "{{prompt}}"}, "stream": stream}, prompt(stream=True))
    framer = framer_for("application/vnd.amazon.eventstream", wire.framing)
    events = events_of(wire, [*framer.feed(enveloped(body, size=size)), *framer.close()])
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == said
    assert [e.raw for e in events if isinstance(e, Finish)] == [raw]


def test_a_stream_without_its_end():
    wire = wired(
        {"body": "{{prompt}}", "stream": {"framing": "jsonlines", "text": "t", "finish": "f"}},
        prompt(stream=True),
    )
    framer = framer_for("application/vnd.amazon.eventstream", wire.framing)
    with pytest.raises(StreamInterruptedError):
        events_of(wire, [*framer.feed(enveloped(b'{"t":"a"}\n')), *framer.close()])


# Hostile templates: refused when the configuration is loaded

HOSTILE = [
    "{{prompt.__class__}}", "{{ prompt | upper }}", "{{''.__class__.__mro__}}", "{{config}}", "{{self}}", "{{prompt}} {{7*7}}",
    "{{ env.AWS_SECRET_ACCESS_KEY }}", "{{#each messages}}", "{{> file}}", "{{Prompt}}", "{{promt}}", "{{", "{{}}",
    "x {{max_tokens}}", "{{messages}} and more", "{{lookup('env', 'HOME')}}", "{{prompt\n}}",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_a_template_that_wants_more_than_values_is_refused(text):
    with pytest.raises(ConfigurationError):
        Template(body={"a": "{{prompt}}", "b": [text]}, text="t")


def test_other_template_languages_are_plain_text():
    strings = [
        "{% include '/etc/passwd' %}",
        "${jndi:ldap://x}",
        "<%= 7 * 7 %>",
        "{0.__class__}",
        "%(prompt)s",
        "#{7*7}",
        "$HOME",
    ]
    assert body_of({"q": "{{prompt}}", "s": strings}, prompt())["s"] == strings


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"body": {"{{prompt}}": 1}, "text": "t"}, "a key is no place"),
        ({"body": {"a": 1}, "text": "t"}, "asks for nothing"),
        ({"body": {"a": "{{prompt}}"}}, "text is missing"),
        ({"body": {"a": "{{prompt}}"}, "text": "a["}, "text is no JMESPath"),
        ({"body": {"a": "{{prompt}}"}, "text": "a", "finish": "((("}, "finish is no JMESPath"),
        ({"body": {"a": "{{prompt}}"}, "text": "a", "error": "nothing(@"}, "error is no JMESPath"),
        ({"body": {"a": "{{texts}}"}}, "belong together"),
        ({"body": {"a": "{{prompt}}"}, "text": "a", "embeddings": "b"}, "belong together"),
        ({"body": "Say: {{prompt}}", "text": "a", "content_type": "text/plain"}, "one placeholder"),
        ({"body": {"a": "{{messages}}"}, "text": "a", "roles": {"bot": "x"}}, "roles knows no bot"),
    ],
)
def test_what_cannot_work_is_refused_at_load(template, words):
    with pytest.raises(ConfigurationError, match=words):
        Template(**template)


def test_streams_that_cannot_work_are_refused_at_load():
    for wrong in ({"framing": "sse"}, {"framing": "text", "text": "t"}, {"framing": "json", "text": "["}):
        with pytest.raises(ConfigurationError):
            TemplateStream(**wrong)


def test_paths_reach_data_alone():
    """A path names keys of the answer; it reaches no attribute of what holds them."""
    for path in ("__class__", "out.__class__", "keys", "out.upper", "@.__dict__"):
        with pytest.raises(MalformedResponseError):
            read({"text": path}, {"out": "x"})


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


# Hostile prompts: text, whatever stands in them

NASTY = [
    '"}, "admin": true, {"',
    "{{system}}",
    "{{prompt}}",
    "{% raw %}",
    "\\u0000\x00\x1f",
    "${HOME}",
    "\u2028",
    "{{",
    "}}",
    "\ud7ff𝄞",
]


@pytest.mark.parametrize("text", NASTY)
def test_a_prompt_stays_text(text):
    made = body_of(
        {"q": "{{prompt}}", "p": "<{{prompt}}|{{system}}>", "admin": False}, prompt(text, system="S")
    )
    assert made == {"q": text, "p": f"<{text}|S>", "admin": False}
    assert json.loads(json.dumps(made)) == made


@given(st.text(), st.text())
def test_any_prompt_stays_text(text, system):
    made = body_of(
        {"q": "{{prompt}}", "in": ["a {{prompt}} b {{system}} c"], "k": 1}, prompt(text, system=system)
    )
    assert made == {"q": text, "in": [f"a {text} b {system} c"], "k": 1}
