import pytest
from hypothesis import given, strategies as st

from jackfield_onnx._files.folder import read_tokenizer
from jackfield_onnx._local_errors import RequestError
from jackfield_onnx._text.template import ChatTemplate, PromptEncoder, StopScanner, TokenText, Turn

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MIXED = "Grüße 🙂 你好 hi\n"


@pytest.fixture(scope="module")
def tokenizer(tiny_folder):
    return read_tokenizer(tiny_folder)


def test_text_comes_in_whole_characters(tokenizer):
    text = TokenText(tokenizer)

    pieces = [text.feed(token) for token in tokenizer.encode(MIXED).ids]

    assert "".join(pieces) == MIXED
    assert text.flush() == ""
    assert "�" not in "".join(pieces)
    assert "🙂" in pieces


def test_a_character_cut_at_the_end_is_marked(tokenizer):
    text = TokenText(tokenizer)
    *whole, _ = tokenizer.encode("a🙂").ids

    assert "".join(text.feed(token) for token in whole) == "a"
    assert set(text.flush()) == {"�"}


def test_control_tokens_have_no_text(tokenizer):
    text = TokenText(tokenizer)

    pieces = [text.feed(token) for token in tokenizer.encode("a<|im_start|>b").ids]

    assert "".join(pieces) + text.flush() == "ab"


@given(st.lists(st.integers(0, 258), max_size=40))
def test_any_tokens_give_the_text_of_the_whole(tiny_folder, ids):
    tokenizer = read_tokenizer(tiny_folder)
    text = TokenText(tokenizer)

    found = "".join(text.feed(token) for token in ids) + text.flush()

    assert found == tokenizer.decode(ids, skip_special_tokens=True)


@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3), st.data())
def test_stop_strings_cut_alike_wherever_the_pieces_break(whole, stops, data):
    scanner, shown, hit, at = StopScanner(stops), "", None, 0
    while at < len(whole) and hit is None:
        size = data.draw(st.integers(1, 4))
        text, hit = scanner.feed(whole[at : at + size])
        shown, at = shown + text, at + size
    if hit is None:
        shown += scanner.flush()

    # Two stop strings that overlap may be met in pieces: what counts is that the first to be complete ends the text.
    ends = [whole.find(stop) + len(stop) for stop in stops if stop in whole]
    if not ends:
        assert shown == whole
        assert hit is None
    else:
        assert hit in stops
        assert whole.startswith(shown + hit)
        assert not any(stop in shown for stop in stops)


def test_only_what_may_become_a_stop_string_is_held_back():
    scanner = StopScanner(["###", "\nUser:"])

    assert scanner.feed("Hello") == ("Hello", None)
    assert scanner.feed(" a#") == (" a", None)
    assert scanner.feed("#b\nUs") == ("##b", None)
    assert scanner.feed("er: x") == ("", "\nUser:")


def test_the_earliest_stop_string_wins():
    assert StopScanner(["late", "ear"]).feed("x early late") == ("x ", "ear")


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


def test_ordinary_messages_are_read_as_the_tokenizer_reads_their_rendered_text(tokenizer, tiny):
    template = ChatTemplate(tiny.metadata()["tokenizer.chat_template"])
    turns = (Turn("system", ""), Turn("user", f"  {MIXED}\n"), Turn("assistant", "<|not a token|>"))

    found = PromptEncoder(tokenizer, template).conversation(turns)

    assert found == tokenizer.encode(template.render(turns), add_special_tokens=False).ids


@given(
    st.lists(
        st.sampled_from([*CONTROL, "hi", " ", "\n", "<|im_", "end|>", "🙂", "0", "<|im_end|"]), max_size=12
    )
)
def test_no_message_can_write_a_control_token(tiny_folder, tiny, words):
    tokenizer, content = read_tokenizer(tiny_folder), "".join(words)
    encoder = PromptEncoder(tokenizer, ChatTemplate(tiny.metadata()["tokenizer.chat_template"]))

    found = encoder.conversation((Turn("user", content), Turn("system", content)))

    # The template's own: both turns begin and end, and the answer's turn begins.
    assert [token for token in found if token < len(CONTROL)] == [1, 2, 1, 2, 1]
    turn = f"user\n{content}\nsystem\n{content}\nassistant\n"
    assert tokenizer.decode(found, skip_special_tokens=True) == turn


def test_a_template_that_trims_still_trims_what_names_a_control_token(tokenizer):
    template = ChatTemplate("{% for m in messages %}<|im_start|>{{ m.content | trim }}<|im_end|>{% endfor %}")

    found = PromptEncoder(tokenizer, template).conversation((Turn("user", "  a <|im_end|> b \n"),))

    assert tokenizer.decode(found, skip_special_tokens=True) == "a <|im_end|> b"
    assert found.count(2) == 1


def test_a_text_to_continue_may_hold_control_tokens(tokenizer):
    assert PromptEncoder(tokenizer, None).text("<|im_start|>hi")[0] == 1


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


def test_no_tool_can_write_a_control_token(tokenizer):
    turns = (Turn("assistant", "", {"tool_calls": [{"<|im_end|>": ["<|im_start|>"]}]}),)
    encoder = PromptEncoder(tokenizer, ChatTemplate(TOOLED))

    found = encoder.conversation(turns, [{"description": "<|im_end|>"}])

    assert [token for token in found if token < len(CONTROL)] == [1, 2, 1, 2]
    assert '{"<|im_end|>": ["<|im_start|>"]}' in tokenizer.decode(found, skip_special_tokens=True)


def test_a_control_token_that_is_shown_stands_in_the_text(tiny_folder):
    tokenizer = read_tokenizer(tiny_folder)
    tokens = [*tokenizer.encode("é hi").ids, 1, *tokenizer.encode("[é]").ids, 2]
    text = TokenText(tokenizer, {1: "<|im_start|>"})

    pieces = [text.feed(token) for token in tokens]

    assert "".join(pieces) + text.flush() == "é hi<|im_start|>[é]"
