import pytest
from chains import sentencepiece_tokenizer, words_tokenizer
from hypothesis import given, strategies as st
from tokenizers import decoders

from jackfield_onnx._files.folder import read_tokenizer
from jackfield_onnx._text.detokenizer import TokenText, decode_token
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


SPECIAL, BYTE = 2, 3  # `</s>`, and the token of byte 0


def _stream(tokenizer, ids, before=()):
    text = TokenText(tokenizer, before=before)
    return [text.feed(token) for token in ids], text.flush()


def _byte_tokens(text):
    return [BYTE + byte for byte in text.encode()]


@pytest.fixture(scope="module", params=[True, False], ids=["as Llama 2", "as Gemma"])
def fallback(request):
    return sentencepiece_tokenizer("▁a", "▁b", "b", "▁", "!", "\ufffd", strip=request.param)


def test_a_broken_character_behind_a_newline_is_marked_and_the_answer_goes_on(fallback):
    word = fallback.token_to_id("▁b")
    ids = [BYTE + 0x0A, BYTE + 0xF0, word]

    pieces, rest = _stream(fallback, [*ids, word])

    assert "".join(pieces) + rest == fallback.decode(ids) + " b"
    assert "\ufffd" in "".join(pieces)


def test_a_word_is_not_held_back_and_bytes_only_while_the_next_may_break_them(fallback):
    word = fallback.token_to_id("▁b")

    pieces, rest = _stream(fallback, [word, word, *_byte_tokens("🙂"), word, *_byte_tokens("\n")])

    assert pieces[1] == " b"
    assert pieces[2:7] == ["", "", "", "", "🙂 b"]
    assert rest == "\n"


_CUTS = st.one_of(
    st.integers(3, 258).map(lambda byte: [byte]),  # most runs of them are not valid
    st.sampled_from(["🙂", "é", "你好", "\n", "\n\n", "\ufffd"]).map(_byte_tokens),
    st.tuples(st.sampled_from(["🙂", "你", "é"]), st.integers(1, 3)).map(
        lambda cut: _byte_tokens(cut[0])[: cut[1]]
    ),
    st.integers(259, 264).map(lambda word: [word]),
    st.sampled_from([[0], [1], [SPECIAL]]),
)


@given(st.lists(_CUTS, max_size=12))
def test_pieces_are_together_what_decoding_the_whole_gives(fallback, parts):
    ids = [token for part in parts for token in part]

    pieces, rest = _stream(fallback, ids)

    assert "".join(pieces) + rest == fallback.decode(ids, skip_special_tokens=True)


_DECODERS = {
    "none": None,
    "Metaspace": decoders.Metaspace(prepend_scheme="first"),
    "Metaspace always": decoders.Metaspace(),
    "WordPiece": decoders.WordPiece(prefix="b"),
    "BPE": decoders.BPEDecoder(suffix="!"),
    "Llama 2": decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    ),
    "fused at the end": decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(), decoders.Fuse()]),
}


@pytest.mark.parametrize("name", _DECODERS)
@given(data=st.data())
def test_pieces_are_the_whole_for_every_kind_of_decoder_and_behind_every_prompt(name, data):
    tokenizer = sentencepiece_tokenizer("▁a", "▁b", "b", "▁", "!", "bb!")
    tokenizer.decoder = _DECODERS[name] or tokenizer.decoder
    if _DECODERS[name] is None:
        tokenizer = words_tokenizer("a", "b", "c")
    words = [n for n in range(tokenizer.get_vocab_size()) if tokenizer.id_to_token(n)[:3] != "<0x"]
    prompt = data.draw(st.lists(st.sampled_from(words), max_size=8))
    answer = data.draw(st.lists(st.sampled_from(words), max_size=8))

    pieces, rest = _stream(tokenizer, answer, prompt)

    whole, before = tokenizer.decode(prompt + answer), tokenizer.decode(prompt)
    assert "".join(pieces) + rest == whole[len(before) :]


def test_bytes_behind_a_prompt_that_ends_in_bytes_do_not_break_it(fallback):
    prompt = [fallback.token_to_id("▁a"), *_byte_tokens("\n")]

    pieces, rest = _stream(fallback, [BYTE + 0xF0, fallback.token_to_id("▁b")], prompt)
    assert "".join(pieces) + rest == "\ufffd b"


def test_tokens_that_the_tokenizer_does_not_know_have_no_text(fallback):
    word = fallback.token_to_id("▁b")

    assert _stream(fallback, [word, 9_999, *_byte_tokens("🙂"), 9_999, word]) == (
        [fallback.decode([word]), "", "", "", "", "", "", "🙂 b"],
        "",
    )


def test_the_text_of_a_token_keeps_its_space(fallback):
    a, b = (fallback.token_to_id(word) for word in ("▁a", "▁b"))

    assert decode_token(fallback, b, a) == " b"
    assert decode_token(fallback, BYTE + 0xF0, a) == "\ufffd"
    assert decode_token(fallback, SPECIAL, a) == "</s>"
