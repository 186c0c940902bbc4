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
