import pytest
from hypothesis import given, strategies as st

from jackfield_onnx._files.folder import read_tokenizer
from jackfield_onnx._text.detokenizer import TokenText
from jackfield_onnx._text.stops import StopScanner

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


def test_a_control_token_that_is_shown_stands_in_the_text(tiny_folder):
    tokenizer = read_tokenizer(tiny_folder)
    tokens = [*tokenizer.encode("é hi").ids, 1, *tokenizer.encode("[é]").ids, 2]
    text = TokenText(tokenizer, {1: "<|im_start|>"})

    pieces = [text.feed(token) for token in tokens]

    assert "".join(pieces) + text.flush() == "é hi<|im_start|>[é]"
