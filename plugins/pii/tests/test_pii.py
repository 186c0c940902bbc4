"""What is personal does not leave, and comes back into the answer."""

from __future__ import annotations

import logging
import re

import attrs
import pytest
from hypothesis import given, strategies as st
from mistakes import every_type_is_told
from stdnum import luhn

from jackfield import (
    ConfigurationError,
    ContentFilteredError,
    Document,
    Finish,
    Image,
    Mesh,
    Message,
    RefusalDelta,
    Registry,
    Text,
    TextDelta,
    Thinking,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolResult,
    Usage,
    UsageUpdate,
)
from jackfield.testing import FakeAnswer, FakeProvider, reply_of
from jackfield_pii import PII
from jackfield_pii._recognizers import make_finder
from jackfield_pii._restoring import StreamRestorer
from jackfield_pii._settings import PiiSettings


def found(text, **settings):
    """What is found in a text, as (entity, value)."""
    return [(f.entity, text[f.start : f.end]) for f in make_finder(PiiSettings(**settings))(text)]


class TestRecognizers:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("Mail anna.meyer+x@mail.example.org.", "anna.meyer+x@mail.example.org"),
            ("<anna@example.com>", "anna@example.com"),
            ("an jörg@müller.de, bitte", "jörg@müller.de"),
            ("mary.o'neil@example.com", "mary.o'neil@example.com"),
            ("mary.o\u2019neil@example.com", "mary.o\u2019neil@example.com"),
            ("say 'anna@example.com'", "anna@example.com"),
            ("tom&jerry#1@example.com!", "tom&jerry#1@example.com"),
            ("_anna@example.com_ said", "anna@example.com"),
            ("**anna@example.com**", "anna@example.com"),
            ("?to=anna@example.com&x=1", "anna@example.com"),
            ("bounce+anna=example.com@lists.example.org", "bounce+anna=example.com@lists.example.org"),
            ('to "anna meyer"@example.com', '"anna meyer"@example.com'),
            ("anna@[10.0.0.1]", "anna@[10.0.0.1]"),
            ("anna@xn--bcher-kva.xn--p1ai", "anna@xn--bcher-kva.xn--p1ai"),
            ("see anna@example.com\u00b9.", "anna@example.com"),
            ("anna@example.com2", "anna@example.com"),
            ("ａｎｎａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ａｎｎａ＠ｅｘａｍｐｌｅ．ｃｏｍ"),
            ("anna\u00ad.meyer@example\u200b.com", "anna\u00ad.meyer@example\u200b.com"),
            ("x" * 70 + "@example.com", "x" * 70 + "@example.com"),
        ],
    )
    def test_mail(self, text, value):
        assert found(text) == [("EMAIL", value)]

    @pytest.mark.parametrize("text", ["a@b", "@example.com", "x = y @ z.T", "version@1.2.3"])
    def test_no_mail(self, text):
        assert found(text) == []

    # Numbers that the payment networks publish for tests.
    @pytest.mark.parametrize(
        "value", ["4111 1111 1111 1111", "4111111111111111", "5555-5555-5555-4444", "378282246310005"]
    )
    def test_cards(self, value):
        assert found(f"card {value}, please") == [("CREDIT_CARD", value)]

    @pytest.mark.parametrize("text", ["4111 1111 1111 1112", "order 1234567890123456", "0000000000000000"])
    def test_no_cards(self, text):
        assert found(text) == []

    @pytest.mark.parametrize("card", ["4111 1111 1111 1111", "5555-5555-5555-4444", "3782 822463 10005"])
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("", " 12/27"), ("", " 123"), ("", "/12/27"), ("", "-12-27"), ("", " 1,250.00"), ("", ".50"), ("", " EUR"),
            ("", "\n2"), ("2 ", ""), ("room 12 ", ""), ("card:", ""), ("no. 7-", " 123"), ("12/27 ", " 999"), ("_", "_"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("is_glued", [False, True])
    def test_cards_beside_other_digits(self, card, before, after, is_glued):
        card = re.sub(r"\D", "", card) if is_glued else card
        ((entity, value),) = found(f"{before}{card}{after}", entities=("CREDIT_CARD",))
        assert entity == "CREDIT_CARD"
        assert card in value

    @pytest.mark.parametrize(
        "separator",
        ["\u00a0", "\u2009", "\u202f", "  ", "\t", "\n", "\r\n", ".", "_", "/", ",", "\u2010", "\u2013", " - ", "\u2212", "\u200b", "·"],
    )  # fmt: skip
    def test_cards_with_any_separator(self, separator):
        value = separator.join(["4111", "1111", "1111", "1111"])
        assert found(f"card {value}, please") == [("CREDIT_CARD", value)]

    @pytest.mark.parametrize(
        "value",
        ["４１１１１１１１１１１１１１１１", "４１１１ １１１１ １１１１ １１１１", "٤١١١١١١١١١١١١١١١", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"],
    )  # fmt: skip
    def test_cards_in_any_digits(self, value):
        assert found(f"card {value}!") == [("CREDIT_CARD", value)]

    @pytest.mark.parametrize(
        "text", ["4111111111111111123", "41111111111111111227", "14111111111111111", "x4111111111111111y"]
    )
    def test_cards_glued_to_something(self, text):
        ((_, value),) = found(text, entities=("CREDIT_CARD",))
        assert "4111111111111111" in value

    def test_two_cards_beside_each_other(self):
        text = "4111 1111 1111 1111 5555 5555 5555 4444"
        covered = "".join(value for _, value in found(text)).replace(" ", "")
        assert covered == text.replace(" ", "")

    @pytest.mark.parametrize(
        "text",
        [
            "0.4111111111111111", "4.111111111111111e-05", "4111,1111,1111,1112", "2019 2020 2021 2022 2023", "550e8400-e29b-41d4-a716-446655440000",
            "1732350000123456789", "2026-11-23 08:15:02.113456", "4111 1111 1111", "978-3-16-148410-0",
        ],
    )  # fmt: skip
    def test_other_numbers_are_no_cards(self, text):
        assert found(text, entities=("CREDIT_CARD",)) == []

    @given(
        st.integers(0, 10**15 - 1),
        st.text(alphabet="0123456789 -/.,", max_size=12),
        st.text(alphabet="0123456789 -/.,", max_size=12),
    )
    def test_no_card_hides_among_other_groups_of_digits(self, number, before, after):
        payload = f"4{number % 10**14:014d}"
        card = payload + luhn.calc_check_digit(payload)
        ((_, value), *_) = [one for one in cards(f"{before} {card} {after}") if card in one[1]]
        assert card in value

    # The examples of the IBAN registry.
    @pytest.mark.parametrize(
        "value", ["DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19"]
    )
    @pytest.mark.parametrize("after", ["", ".", " BIC COBADEFFXXX", " and more", ", thanks"])
    def test_ibans_and_what_follows_them(self, value, after):
        assert found(f"To {value}{after}") == [("IBAN", value)]

    def test_no_iban(self):
        assert found("DE88 3704 0044 0532 0130 00") == []

    @pytest.mark.parametrize("after", ["", " and AB12 too"])
    @pytest.mark.parametrize("before", ["AB12 CD34 ", "IBAN", "x_", "1 "])
    def test_an_iban_behind_what_looks_like_one(self, before, after):
        assert found(f"{before}DE89 3704 0044 0532 0130 00{after}") == [
            ("IBAN", "DE89 3704 0044 0532 0130 00")
        ]

    @pytest.mark.parametrize("separator", ["\u00a0", "  ", "-", ".", "\n", "\u2013", "\u200b"])
    def test_ibans_with_any_separator(self, separator):
        value = "DE89 3704 0044 0532 0130 00".replace(" ", separator)
        assert found(f"To {value}.") == [("IBAN", value)]

    @pytest.mark.parametrize(
        "value",
        ["10.0.0.1", "192.168.178.20", "2001:db8::1", "fe80::1", "::1", "::ffff:10.0.0.1", "１０.０.０.１"],
    )
    @pytest.mark.parametrize(
        ("before", "after"),
        [("from ", "."), ("ip:", ""), ("from ", ": refused"), ("_", "_"), ("(", "/24)"), ("", "\u00b9")],
    )
    def test_addresses(self, value, before, after):
        assert found(f"{before}{value}{after}") == [("IP_ADDRESS", value)]

    @pytest.mark.parametrize(
        "text", ["10.0.0.1:8080", "http://10.0.0.1:8080/x", "[2001:db8::1]:443", "6:2001:db8::1"]
    )
    def test_addresses_with_a_port(self, text):
        ((entity, value),) = found(text)
        assert entity == "IP_ADDRESS"
        assert value in ("10.0.0.1", "2001:db8::1", "6:2001:db8::1")

    @pytest.mark.parametrize(
        "text", ["at 12:30:45", "1.2.3", "256.1.1.1", "1.2.3.4.5", "std::vector", "a::b", "::", "ratio 3:4"]
    )
    def test_no_addresses(self, text):
        assert found(text) == []

    def test_social_security_numbers(self):
        assert found("SSN 536-90-4399") == [("US_SSN", "536-90-4399")]
        assert found("SSN 666-90-4399 and 2026-11-23") == []

    @pytest.mark.parametrize("separator", ["-", " ", "\u00a0", "  ", ".", " - ", "\u2013", "\n"])
    @pytest.mark.parametrize(("before", "after"), [("", ""), ("SSN:", "."), ("ssn", "_"), ("1 ", " 2")])
    def test_social_security_numbers_with_any_separator(self, separator, before, after):
        value = separator.join(("536", "90", "4399"))
        assert found(f"{before}{value}{after}", entities=("US_SSN",)) == [("US_SSN", value)]

    @pytest.mark.parametrize(
        "text",
        ["SSN 536904399", "my_ssn=536904399", "Social Security number is 536904399.", "536904399 (SSN)", "ssn: ５３６９０４３９９"],
    )  # fmt: skip
    def test_social_security_numbers_without_separators_are_found_beside_their_name(self, text):
        ((entity, value),) = found(text, entities=("US_SSN",))
        assert entity == "US_SSN"
        assert len(value) == 9

    @pytest.mark.parametrize("text", ["order 536904399", "ssn 5369043990", "x 1-536-90-4399", "536-90-43990"])
    def test_other_numbers_are_no_social_security_numbers(self, text):
        assert found(text, entities=("US_SSN",)) == []

    @pytest.mark.parametrize("value", ["+49 30 901820", "+1 212-456-7890", "+44 20 7946 0018"])
    def test_phones_with_their_countrys_prefix(self, value):
        assert found(f"call {value} now") == [("PHONE", value)]

    def test_phones_of_a_country(self):
        assert found("call (212) 456-7890") == []
        assert found("call (212) 456-7890", phone_region="US") == [("PHONE", "(212) 456-7890")]
        assert found("ruf 030 901820 an", phone_region="DE") == [("PHONE", "030 901820")]

    def test_a_card_is_no_phone(self):
        assert found("4111 1111 1111 1111", phone_region="US") == [("CREDIT_CARD", "4111 1111 1111 1111")]

    def test_numbers_with_a_checksum_of_any_country(self):
        # The examples in python-stdnum's documentation.
        text = "Steuer-ID 36 574 261 809, NHS number 943-476-5870 and 943-476-5871."
        assert found(text, numbers=("de.idnr", "gb.nhs")) == [
            ("DE_IDNR", "36 574 261 809"),
            ("GB_NHS", "943-476-5870"),
        ]

    def test_numbers_with_a_checksum_beside_other_digits(self):
        assert found("943-476-5870-12", numbers=("gb.nhs",)) == [("GB_NHS", "943-476-5870")]
        assert found("no. 7/943\u00a0476\u00a05870", numbers=("gb.nhs",)) == [
            ("GB_NHS", "943\u00a0476\u00a05870")
        ]

    def test_patterns_of_ones_own_come_first(self):
        assert found("staff E-10001@acme.com", patterns={"STAFF": r"E-\d{5}"}) == [("STAFF", "E-10001")]

    def test_only_what_is_asked_for(self):
        assert found("a@example.com 10.0.0.1", entities=("IP_ADDRESS",)) == [("IP_ADDRESS", "10.0.0.1")]

    @pytest.mark.parametrize("piece", ["a@", "1:", "1 ", "DE89 ", "a.", "4111 ", "+49 ", "é", "-"])
    def test_a_long_text_of_nothing_takes_no_long_time(self, piece):
        import time

        began = time.process_time()
        found(piece * (20_000 // len(piece)), phone_region="US", numbers=("de.idnr",))
        assert time.process_time() - began < 5

    @given(st.text(alphabet="ab1234567890@.:-+ DEé<>", max_size=80))
    def test_spans_are_in_order_and_apart(self, text):
        end = 0
        for one in FIND(text):
            assert end <= one.start < one.end <= len(text)
            end = one.end


FIND = make_finder(PiiSettings(phone_region="US", numbers=("de.idnr",)))


def cards(text):
    return found(text, entities=("CREDIT_CARD",))


# Through a mesh


def mesh_for(provider, **settings):
    registry = Registry.of(provider, middlewares={"pii": PII})
    config = {
        "defaults": {"middlewares": ["pii"], "retry": {"attempts": 1}},
        "connections": {"fake": {"provider": "fake"}},
        "middleware": {"pii": settings},
    }
    return Mesh.from_config(config, registry=registry)


def sent(provider, number=-1):
    return provider.wires[number].meta["request"]


async def read(mesh, *args, **kwargs):
    async with mesh.stream_chat(*args, **kwargs) as stream:
        events = [event async for event in stream]
    return events, stream.response


async def test_what_is_found_is_not_sent_and_comes_back():
    provider = FakeProvider()
    async with mesh_for(provider) as mesh:
        reply = await mesh.chat(
            "fake:echo", "Write to anna@example.com and bob@example.com, then anna@example.com"
        )
    assert sent(provider).messages[0].text == "Write to <EMAIL_1> and <EMAIL_2>, then <EMAIL_1>"
    assert reply.text == "You said: Write to anna@example.com and bob@example.com, then anna@example.com"


async def test_it_stays_away_if_that_is_wished():
    async with mesh_for(FakeProvider(), restore=False) as mesh:
        assert (await mesh.chat("fake:echo", "anna@example.com")).text == "You said: <EMAIL_1>"
        assert (await read(mesh, "fake:echo", "anna@example.com"))[1].text == "You said: <EMAIL_1>"


async def test_every_place_of_a_conversation_is_looked_at():
    provider = FakeProvider(answers=["ok"])
    mail = "anna@example.com"
    messages = [
        Message("user", (Text(f"text {mail}", cache="5m"), Document(text=f"doc {mail}", name=f"{mail}.txt"))),
        Message("assistant", (Text("well"), ToolCall("1", "look", {"to": [mail, {"deep": mail}], "n": 1}))),
        Message("tool", (ToolResult("1", f"result {mail}"), ToolResult("2", (Text(f"part {mail}"),)))),
        Message("user", (Document(data=f"bytes {mail}".encode(), media_type="text/plain"),)),
        {"role": "user", "content": f"dict {mail}"},
    ]
    before = repr(messages)
    async with mesh_for(provider) as mesh:
        await mesh.chat("fake:echo", messages, system=f"system {mail}", tools=[Tool("look")])
    request = sent(provider)
    assert repr(messages) == before
    assert mail not in repr(request)
    assert mail.encode() not in b"".join(
        part.data or b"" for m in request.messages for part in m.parts if isinstance(part, Document)
    )
    assert request.options.system == "system <EMAIL_1>"
    assert request.messages[0].parts[0] == Text("text <EMAIL_1>", cache="5m")
    assert request.messages[1].parts[1].arguments == {"to": ["<EMAIL_1>", {"deep": "<EMAIL_1>"}], "n": 1}


async def test_every_option_of_the_caller_is_looked_at():
    provider = FakeProvider(answers=["ok"])
    async with mesh_for(provider) as mesh:
        message = Message("user", "Hi", name="anna@example.com")
        await mesh.chat("fake:echo", [message], user="anna@example.com", stop=["bob@example.com", "x"])
        assert sent(provider).options.user == sent(provider).messages[0].name == "<EMAIL_1>"
        assert sent(provider).options.stop == ("<EMAIL_2>", "x")
        await mesh.embed("fake:echo", ["Hi"], user="anna@example.com")
        assert sent(provider).user == "<EMAIL_1>"


async def test_numbers_and_keys_in_arguments_are_looked_at():
    arguments = {"card": 4111111111111111, "anna@example.com": [1, True, None, 10**5000], 7: 1.5}
    messages = [
        Message("assistant", (ToolCall("1", "pay", arguments),)),
        ToolResult("1", "done"),
    ]
    answer = FakeAnswer(tool_calls=[("pay", {"<EMAIL_1>": "<CREDIT_CARD_1>"})])
    provider = FakeProvider(answers=[answer])
    async with mesh_for(provider) as mesh:
        reply = await mesh.chat("fake:echo", messages, tools=[Tool("pay")])
    assert sent(provider).messages[0].parts[0].arguments == {
        "card": "<CREDIT_CARD_1>", "<EMAIL_1>": [1, True, None, 10**5000], 7: 1.5,
    }  # fmt: skip
    assert reply.tool_calls[0].arguments == {"anna@example.com": "4111111111111111"}


async def test_every_kind_of_call_is_looked_at():
    provider = FakeProvider()
    async with mesh_for(provider) as mesh:
        await mesh.embed("fake:echo", ["one a@example.com", "two"])
        assert sent(provider).inputs == ("one <EMAIL_1>", "two")
        await mesh.rerank("fake:echo", "who is a@example.com?", ["b@example.com", "a@example.com"])
        assert sent(provider).query == "who is <EMAIL_1>?"
        assert "@" not in repr(sent(provider).documents)
        reply = await mesh.complete("fake:echo", "to a@example.com")
        assert sent(provider).prompt == "to <EMAIL_1>"
        assert "a@example.com" in reply.text
        await mesh.summarize("fake:echo", "from a@example.com")
        assert sent(provider).text == "from <EMAIL_1>"
        await mesh.count_tokens("fake:echo", "from a@example.com")
        assert sent(provider).messages[0].text == "from <EMAIL_1>"


async def test_thinking_is_left_alone_for_it_goes_back_byte_for_byte():
    provider = FakeProvider()
    thinking = Thinking("a@example.com", "fake", "echo", {"signature": "s"})
    async with mesh_for(provider) as mesh:
        await mesh.chat("fake:echo", [Message("assistant", (thinking,)), Message("user", "a@example.com")])
    assert sent(provider).messages[0].parts == (thinking,)


async def test_what_looks_like_a_placeholder_stands_for_itself():
    provider = FakeProvider()
    async with mesh_for(provider) as mesh:
        reply = await mesh.chat("fake:echo", "<EMAIL_1> means a@example.com")
    assert sent(provider).messages[0].text == "<EMAIL_1> means <EMAIL_2>"
    assert reply.text.endswith("<EMAIL_1> means a@example.com")


async def test_a_call_without_findings_is_passed_on_as_it_is():
    provider = FakeProvider()
    async with mesh_for(provider) as mesh:
        await mesh.chat("fake:echo", "Nothing here")
        events, _ = await read(mesh, "fake:echo", "Nothing here")
    assert sent(provider).messages[0].text == "Nothing here"
    assert events


async def test_a_long_text_is_looked_at_off_the_loop(monkeypatch):
    import asyncio

    used, to_thread = [], asyncio.to_thread
    monkeypatch.setattr("asyncio.to_thread", lambda f, *a: (used.append(f.__name__), to_thread(f, *a))[1])
    provider = FakeProvider(answers=["ok"])
    async with mesh_for(provider) as mesh:
        await mesh.chat("fake:echo", "word " * 3000 + "a@example.com")
    assert used == ["make_finder", "redact"]
    assert sent(provider).messages[0].text.endswith("<EMAIL_1>")


# Refuse and report


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_is_refused_before_anything_is_sent(stream):
    provider = FakeProvider()
    async with mesh_for(provider, mode="block") as mesh:
        with pytest.raises(ContentFilteredError) as caught:
            await (read if stream else Mesh.chat)(
                mesh, "fake:echo", "a@example.com and b@example.com, 10.0.0.1"
            )
    error = caught.value
    assert "2 EMAIL, 1 IP_ADDRESS" in error.message
    assert "example.com" not in str(error)
    assert error.connection == "fake"
    assert not error.is_retryable
    assert provider.wires == []


async def test_a_report_changes_nothing_and_names_no_value(caplog):
    provider, seen = FakeProvider(), []

    async def look(call, proceed):
        seen.append(call.metadata.get("pii"))
        return await proceed(call)

    registry = Registry.of(provider, middlewares={"pii": PII, "look": lambda settings: look})
    config = {
        "connections": {"fake": {"provider": "fake", "middlewares": ["pii", "look"]}},
        "middleware": {"pii": {"mode": "report"}},
    }
    with caplog.at_level(logging.INFO, "jackfield.pii"):
        async with Mesh.from_config(config, registry=registry) as mesh:
            reply = await mesh.chat("fake:echo", "a@example.com")
    assert reply.text == "You said: a@example.com"
    assert seen == [{"EMAIL": 1}]
    assert "to fake: 1 EMAIL" in caplog.text
    assert "example.com" not in caplog.text


async def test_what_cannot_be_looked_into_is_passed_or_refused():
    picture = Image(data=b"x", media_type="image/png")
    paper = Document(data=b"%PDF", media_type="application/pdf")
    messages = [
        Message(
            "user", (Text("What is it?"), picture, paper, Document(data=b"\xff", media_type="text/plain"))
        )
    ]
    async with mesh_for(FakeProvider(answers=["a", "b"])) as mesh:
        await mesh.chat("fake:echo", messages)
    async with mesh_for(FakeProvider(), unreadable="block") as mesh:
        with pytest.raises(ContentFilteredError, match="2 document, 1 image"):
            await mesh.chat("fake:echo", messages)


# Streams


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 100])
async def test_a_placeholder_is_restored_wherever_a_stream_cuts_it(size):
    text = "To <EMAIL_1>, <EMAIL_2> & <EMAIL_10>; a < b, <EMAIL_, <b> <EMAIL_1"
    chunks = [text[i : i + size] for i in range(0, len(text), size)]
    provider = FakeProvider(answers=[FakeAnswer(chunks=chunks)])
    async with mesh_for(provider) as mesh:
        events, reply = await read(mesh, "fake:echo", "a@example.com b@example.com")
    expected = "To a@example.com, b@example.com & <EMAIL_10>; a < b, <EMAIL_, <b> <EMAIL_1"
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == expected
    assert reply.text == expected
    assert reply.complete
    assert reply.usage.output_tokens is not None


async def test_nothing_is_held_back_that_cannot_be_a_placeholder():
    restorer = StreamRestorer({"<EMAIL_1>": "a@example.com"}, in_json=False)
    assert restorer(TextDelta("1 < 2 <b")) == [TextDelta("1 < 2 <b")]
    assert restorer(TextDelta("x <EM")) == [TextDelta("x ")]
    assert restorer(TextDelta("AIL_1> y")) == [TextDelta("a@example.com y")]


async def test_what_is_held_is_given_out_before_what_comes_next():
    restorer = StreamRestorer({"<EMAIL_1>": "a@example.com"}, in_json=False)
    assert restorer(TextDelta("<EMAIL", block=3)) == [TextDelta("", block=3)]
    assert restorer(TextDelta("_1>", block=3)) == [TextDelta("a@example.com", block=3)]
    assert restorer(TextDelta("<EMAIL")) == []
    assert restorer(TextDelta("_1>", block=4)) == [TextDelta("<EMAIL"), TextDelta("_1>", block=4)]
    assert restorer(TextDelta("<E")) == []
    assert restorer(RefusalDelta("no <E")) == [TextDelta("<E"), RefusalDelta("no ")]
    assert restorer(TextDelta("<E", choice=1)) == []
    usage = UsageUpdate(Usage(output_tokens=1))
    assert restorer(usage) == [usage]
    assert restorer(Finish("stop")) == [RefusalDelta("<E"), Finish("stop")]
    assert restorer(Finish("stop", 1)) == [TextDelta("<E", choice=1), Finish("stop", 1)]


async def test_arguments_of_tools_are_restored_as_json():
    value = 'say "hi"\n\\'
    restorer = StreamRestorer({"<X_1>": value}, in_json=False)
    given = [
        ToolCallStart(0, "a", "f"), ToolCallStart(1, "b", "f"),
        ToolCallDelta(0, '{"to": "<X_'), ToolCallDelta(1, r'{"to": "\u003cX'),
        ToolCallDelta(0, '1>"}'), ToolCallDelta(1, r'_1\u003e"}'),
        ToolCallEnd(0), ToolCallEnd(1), Finish("tool_calls"),
    ]  # fmt: skip
    # One call after the other, as services send them; pieces of two calls never share a placeholder.
    for order in (given, sorted(given, key=lambda e: getattr(e, "index", 9))):
        events = [out for event in order for out in StreamRestorer({"<X_1>": value}, in_json=False)(event)]
        assert len(events) >= 7
    ordered = sorted(given, key=lambda event: getattr(event, "index", 9))
    calls = reply_of([out for event in ordered for out in restorer(event)]).choices[0].message.tool_calls
    assert [call.arguments for call in calls] == [{"to": value}, {"to": value}]


async def test_tool_calls_are_restored_whole_and_streamed():
    answer = FakeAnswer(tool_calls=[("send", {"to": "<EMAIL_1>", "n": 1})])
    async with mesh_for(FakeProvider(answers=[answer, answer])) as mesh:
        whole = await mesh.chat("fake:echo", "a@example.com", tools=[Tool("send")])
        _, streamed = await read(mesh, "fake:echo", "a@example.com", tools=[Tool("send")])
    for reply in (whole, streamed):
        assert reply.tool_calls[0].arguments == {"to": "a@example.com", "n": 1}


async def test_an_answer_in_json_stays_json():
    pattern = {"NOTE": '"[^"]*"'}
    answer = FakeAnswer(text='{"note": "<NOTE_1>"}')
    schema = {"type": "object"}
    async with mesh_for(FakeProvider(answers=[answer, answer]), patterns=pattern) as mesh:
        whole = await mesh.chat("fake:echo", 'it says "x\\y"', response_format=schema)
        _, streamed = await read(mesh, "fake:echo", 'it says "x\\y"', response_format=schema)
    assert whole.parsed == streamed.parsed == {"note": '"x\\y"'}


# Settings


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mode": "redakt"}, "mode"),
        ({"entities": ["E-MAIL"]}, "entities"),
        ({"numbers": ["de.nothing"]}, "python-stdnum has no number 'de.nothing'"),
        ({"numbers": ["de"]}, "python-stdnum has no number 'de'"),
        ({"numbers": ["../x"]}, "python-stdnum has no number"),
        ({"patterns": {"x": "a"}}, "capital letters"),
        ({"patterns": {"X": "("}}, "not a valid regular expression"),
        ({"patterns": {"X": "a*"}}, "matches an empty text"),
        ({"phone_region": "XX"}, "is not a country"),
    ],
)
def test_wrong_settings_are_said_when_the_configuration_is_loaded(wrong, said):
    with pytest.raises(ConfigurationError, match=r"middleware\.pii") as caught:
        mesh_for(FakeProvider(), **wrong)
    assert said in caught.value.message


def test_all_that_is_wrong_is_said_at_once():
    wrong = {
        "patterns": {"x": "a*", "Y": "(", "Z": "a" * 3 + "{99999999999}"},
        "numbers": ["de.nothing", "xx"],
        "phone_region": "XX",
    }
    with pytest.raises(ConfigurationError) as caught:
        mesh_for(FakeProvider(), **wrong)
    said = caught.value.message
    for words in (
        "the name 'x' must consist", "patterns.x matches an empty text", "patterns.Y is not a valid regular expression",
        "patterns.Z is not a valid regular expression", "no number 'de.nothing'", "no number 'xx'", "'XX' is not a country",
    ):  # fmt: skip
        assert words in said


def test_a_wrong_type_of_every_key_is_said_at_once():
    config = {"middleware": {"pii": {}}, "connections": {}}
    every_type_is_told(PiiSettings, config, config["middleware"]["pii"], "middleware.pii")


def test_the_settings_do_not_change():
    assert attrs.has(PII.settings)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        PII.settings().mode = "block"
