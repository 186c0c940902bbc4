import pytest

from jackfield_onnx._local_errors import RequestError
from jackfield_onnx._text.template import ChatTemplate, Turn

CHAT = (Turn("system", "Be brief."), Turn("user", "Hi <b>"))


def test_a_template_writes_the_conversation_and_the_beginning_of_the_answer(tiny):
    template = ChatTemplate(tiny.metadata()["tokenizer.chat_template"])

    assert template.render(CHAT) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi <b><|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_template_has_what_templates_expect():
    template = ChatTemplate(
        "{{ bos_token }}{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}"
        "{{ m.content | tojson }}{% endfor %}{{ strftime_now('%Y') | length }}{{ eos_token }}",
        begin_token="<s>",
        end_token="</s>",
    )

    assert template.render((Turn("user", "ü<"), Turn("user", "no"))) == '<s>"ü<"4</s>'


def test_a_refusal_of_the_template_is_a_request_error(tiny):
    template = ChatTemplate(tiny.metadata()["tokenizer.chat_template"])

    with pytest.raises(RequestError, match="unknown role tool"):
        template.render((Turn("tool", "x"),))


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update({'content': 'x'}) }}",
        "{{ strftime_now.__globals__.values() }}",
    ],
)
def test_a_template_cannot_leave_its_sandbox(source):
    with pytest.raises(RequestError, match="chat template"):
        ChatTemplate(source).render(CHAT)


def test_a_template_that_does_not_compile_says_so():
    with pytest.raises(RequestError, match="compiled"):
        ChatTemplate("{% for %}")


TOOLED = (
    "{% if tools %}<|im_start|>tools\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c | tojson }}{% endfor %}<|im_end|>\n{% endfor %}"
)


def test_tools_and_fields_reach_the_template():
    turns = (
        Turn("user", "hi"),
        Turn("assistant", "", {"tool_calls": [{"name": "f", "arguments": {"a": 1}}]}),
    )
    template = ChatTemplate(TOOLED)

    assert '[{"name": "f"}]' in template.render(turns, [{"name": "f"}])
    assert '{"name": "f", "arguments": {"a": 1}}' in template.render(turns)
    assert "tools" not in template.render(turns)


def _render(source, tools=()):
    return ChatTemplate(source, model="m").render((Turn("user", "ü"), Turn("assistant", "b")), tools)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "{% for m in messages %}{% generation %}{{ m.content }}{{ loop.index }}{% endgeneration %};{% endfor %}",
            "ü1;b2;",
        ),
        ("{{ messages[0].content | tojson }}", '"ü"'),
        ("{{ messages[0].content | tojson(ensure_ascii=True) }}", '"\\u00fc"'),
        ("{{ {'b': 1, 'a': [2]} | tojson(separators=(',', ':'), sort_keys=True) }}", '{"a":[2],"b":1}'),
        ("{{ {'a': 1} | tojson(indent=1) }}", '{\n "a": 1\n}'),
        ("{{ tools is none }} {{ documents is none }} {{ tools is defined }}", "True True True"),
        (
            "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% elif i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
            "02",
        ),
        ("{{ add_generation_prompt }} {{ pad_token is defined }}", "True False"),
        ("{{ '-' * 3 }} {{ 2 * 3 }} {{ 2 ** 5 }} {{ [0] * 2 }}", "--- 6 32 [0, 0]"),
    ],
)
def test_a_template_runs_in_the_environment_of_transformers(source, text):
    assert _render(source) == text


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ 1 / 0 }}", "failed: ZeroDivisionError: division by zero"),
        ("{{ 'x' + 1 }}", "failed: TypeError"),
        ("{{ raise_exception | tojson }}", "failed: TypeError"),
        ("{{ messages[7].content }}", "failed: UndefinedError"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "failed: RecursionError"),
        ("{{ 'x' * 10 ** 12 }}", "too large"),
        ("{{ 10 ** (10 ** 9) }}", "too large"),
        (
            "{{ raise_exception('Conversation roles must alternate') }}",
            "must alternate .m.*join neighbouring messages",
        ),
        ("{% for a in [1] %}" * 25 + "{% endfor %}" * 25, "compiled: SyntaxError"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "compiled: RecursionError"),
    ],
)
def test_whatever_goes_wrong_in_a_template_is_an_error_that_names_the_model(source, why):
    with pytest.raises(RequestError, match=why) as caught:
        _render(source)

    assert caught.value.which == "m"


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    ],
)
def test_a_template_without_an_end_is_stopped(source, monkeypatch):
    monkeypatch.setattr("jackfield_onnx._text.template_environment._LONGEST", 0.05)

    with pytest.raises(RequestError, match="does not end.*stopped after 0.05 seconds"):
        _render(source)

    assert (
        ChatTemplate("{% for m in messages %}{{ m.content }}{% endfor %}").render((Turn("user", "a"),)) == "a"
    )


def test_conversations_with_tools_have_a_template_of_their_own_where_the_model_has_one():
    template = ChatTemplate(
        "plain {{ pad_token }}", for_tools="{{ tools | length }}", tokens={"pad_token": "<pad>"}
    )

    assert template.render((Turn("user", "a"),)) == "plain <pad>"
    assert template.render((Turn("user", "a"),), [{"name": "f"}]) == "1"
