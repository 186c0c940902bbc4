"""What the contract's values are made from."""

import pytest

from jackfield import MalformedResponseError, ModelCard, Secret
from jackfield.plugin import Exchange, Frame, Head, HttpAccess, Listing, StaticHeader, Wire


async def frames_of(exchange):
    return [frame async for batch in exchange.frames for frame in batch]


async def test_an_sdks_answer_is_one_frame():
    exchange = Exchange.whole({"text": "hi"})
    assert exchange.head == Head(None)
    assert await frames_of(exchange) == [Frame({"text": "hi"})]


async def test_an_sdks_stream_is_a_frame_for_each_piece_and_is_closed_when_it_is_left():
    closed = []

    async def pieces():
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    assert await frames_of(Exchange.streamed(pieces())) == [Frame(1), Frame(2)]
    exchange = Exchange.streamed(pieces())
    assert await exchange.frames.__anext__() == (Frame(1),)
    closed.clear()
    await exchange.frames.aclose()
    assert closed == [True]


def page(data):
    return [ModelCard(id=name) for name in data["models"]], {"after": data["next"]} if data["next"] else None


def test_pages_of_a_listing_follow_one_another():
    listing = Listing.of_pages("/models", page, query={"size": "2"})
    assert listing.wire == Wire("/models", method="GET", query={"size": "2"})
    cards, after = listing.parse(Head(200), b'{"models": ["a", "b"], "next": "b"}')
    assert [card.id for card in cards] == ["a", "b"]
    assert after == Wire("/models", method="GET", query={"after": "b"})
    assert listing.parse(Head(200), b'{"models": [], "next": null}') == ([], None)


def test_a_page_is_read_as_services_write_it():
    body = b'\xef\xbb\xbf{"models": ["a", "b\\ud83d"], "next": null, "age": NaN}'
    cards, _ = Listing.of_pages("/models", page).parse(Head(200), body)
    assert [card.id for card in cards] == ["a", "b\ufffd"]


@pytest.mark.parametrize(("body", "words"), [(b"<html>", "not JSON"), (b"[1]", "must be a JSON object")])
def test_a_page_that_is_not_an_object_is_malformed(body, words):
    with pytest.raises(MalformedResponseError, match=words) as caught:
        Listing.of_pages("/models", page).parse(Head(200), body)
    assert caught.value.body == body


def test_a_key_in_the_usual_header():
    key = Secret("k")
    access = HttpAccess.with_bearer("https://api.example/v1/", key)
    assert access.base_url == "https://api.example/v1"
    assert access.auth == StaticHeader("Authorization", key, "Bearer ")
    assert HttpAccess.with_bearer("https://api.example", None).auth.optional
