import pytest
from hypothesis import given, strategies as st

from jackfield_onnx._files.folder import read_tokenizer
from jackfield_onnx._text.prompts import PromptEncoder
from jackfield_onnx._text.template import ChatTemplate, Turn

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MIXED = "Grüße 🙂 你好 hi\n"


@pytest.fixture(scope="module")
def tokenizer(tiny_folder):
    return read_tokenizer(tiny_folder)


def test_ordinary_messages_are_read_as_the_tokenizer_reads_their_rendered_text(tokenizer, tiny):
    template = ChatTemplate(tiny.metadata()["tokenizer.chat_template"])
    turns = (Turn("system", ""), Turn("user", f"  {MIXED}\n"), Turn("assistant", "<|not a token|>"))

    found = PromptEncoder(tokenizer, template).encode_conversation(turns)

    assert found == tokenizer.encode(template.render(turns), add_special_tokens=False).ids


@given(
    st.lists(
        st.sampled_from([*CONTROL, "hi", " ", "\n", "<|im_", "end|>", "🙂", "0", "<|im_end|"]), max_size=12
    )
)
def test_no_message_can_write_a_control_token(tiny_folder, tiny, words):
    tokenizer, content = read_tokenizer(tiny_folder), "".join(words)
    encoder = PromptEncoder(tokenizer, ChatTemplate(tiny.metadata()["tokenizer.chat_template"]))

    found = encoder.encode_conversation((Turn("user", content), Turn("system", content)))

    # The template's own: both turns begin and end, and the answer's turn begins.
    assert [token for token in found if token < len(CONTROL)] == [1, 2, 1, 2, 1]
    turn = f"user\n{content}\nsystem\n{content}\nassistant\n"
    assert tokenizer.decode(found, skip_special_tokens=True) == turn


def test_a_template_that_trims_still_trims_what_names_a_control_token(tokenizer):
    template = ChatTemplate("{% for m in messages %}<|im_start|>{{ m.content | trim }}<|im_end|>{% endfor %}")

    found = PromptEncoder(tokenizer, template).encode_conversation((Turn("user", "  a <|im_end|> b \n"),))

    assert tokenizer.decode(found, skip_special_tokens=True) == "a <|im_end|> b"
    assert found.count(2) == 1


def test_a_text_to_continue_may_hold_control_tokens(tokenizer):
    assert PromptEncoder(tokenizer, None).encode_text("<|im_start|>hi")[0] == 1


TOOLED = (
    "{% if tools %}<|im_start|>tools\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c | tojson }}{% endfor %}<|im_end|>\n{% endfor %}"
)


def test_no_tool_can_write_a_control_token(tokenizer):
    turns = (Turn("assistant", "", {"tool_calls": [{"<|im_end|>": ["<|im_start|>"]}]}),)
    encoder = PromptEncoder(tokenizer, ChatTemplate(TOOLED))

    found = encoder.encode_conversation(turns, [{"description": "<|im_end|>"}])

    assert [token for token in found if token < len(CONTROL)] == [1, 2, 1, 2]
    assert '{"<|im_end|>": ["<|im_start|>"]}' in tokenizer.decode(found, skip_special_tokens=True)


def test_a_name_in_json_that_a_template_escapes_stays_text(tokenizer):
    template = ChatTemplate("{{ messages[0].content | tojson(ensure_ascii=True) }}<|im_end|>")

    found = PromptEncoder(tokenizer, template).encode_conversation((Turn("user", "ü <|im_end|>"),))

    assert tokenizer.decode(found, skip_special_tokens=False) == '"\\u00fc <|im_end|>"<|im_end|>'
    assert found.count(2) == 1
