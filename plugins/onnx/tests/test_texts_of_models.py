"""What models of the SentencePiece kind say, through the whole framework."""

import pytest
from chains import connection, sentencepiece_tokenizer, words_tokenizer, write_chain
from tokenizers import decoders, pre_tokenizers

from jackfield import Mesh, TextDelta, UsageUpdate

TO_BYTES = "{{ messages[-1].content }}<s>"


@pytest.fixture
def tokenizer():
    return sentencepiece_tokenizer("▁once", "▁upon", "▁a", "▁time", "!")


async def test_a_broken_character_behind_a_newline_does_not_end_the_answer(tokenizer, tmp_path):
    i = tokenizer.token_to_id
    follows = {1: i("<0x0A>"), i("<0x0A>"): i("<0xF0>"), i("<0xF0>"): i("▁time")}
    config = connection(write_chain(tmp_path, tokenizer, follows, template=TO_BYTES))

    async with Mesh.from_config(config) as mesh:
        reply = await mesh.chat("l:m", "a", max_tokens=9)
        async with mesh.stream_chat("l:m", "a", max_tokens=9) as stream:
            streamed = "".join([event.text async for event in stream if isinstance(event, TextDelta)])

    assert reply.text == streamed == tokenizer.decode([i("<0x0A>"), i("<0xF0>"), i("▁time")])
    assert (reply.finish_reason, "\ufffd" in reply.text, reply.text.endswith(" time")) == ("stop", True, True)


async def test_an_answer_of_bytes_alone_shows_that_it_goes_on(tokenizer, tmp_path):
    newline = tokenizer.token_to_id("<0x0A>")
    config = connection(write_chain(tmp_path, tokenizer, {1: newline, newline: newline}, template=TO_BYTES))

    async with (
        Mesh.from_config(config) as mesh,
        mesh.stream_chat("l:m", "a", max_tokens=40) as stream,
    ):
        counts = [event.usage.output_tokens async for event in stream if isinstance(event, UsageUpdate)]

    assert len(counts) == 3
    assert stream.response.text == "\n" * 40


DECODERS = {
    "Metaspace": decoders.Metaspace(prepend_scheme="first"),
    "as Llama 2": sentencepiece_tokenizer().decoder,
    "as Gemma": sentencepiece_tokenizer(strip=False).decoder,
}


@pytest.mark.parametrize("name", DECODERS)
async def test_a_completion_keeps_the_space_before_its_first_word(name, tmp_path):
    tokenizer = words_tokenizer("▁once", "▁upon", "▁a", "▁time", "!")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = DECODERS[name]
    i = tokenizer.token_to_id
    follows = {i("▁a"): i("▁time"), i("▁time"): i("!")}
    template = "{{ messages[-1].content }}"
    config = connection(write_chain(tmp_path, tokenizer, follows, template=template))

    async with Mesh.from_config(config) as mesh:
        reply = await mesh.complete("l:m", "once upon a", max_tokens=9, logprobs=True)
        # A turn of a chat begins anew: what stands before it is the template's.
        turn = await mesh.chat("l:m", "once upon a", max_tokens=9)

    assert reply.text == " time!"
    assert [token.token for token in reply.logprobs] == [" time", "!", "</s>"]
    assert turn.text == tokenizer.decode([i("▁time"), i("!")])
