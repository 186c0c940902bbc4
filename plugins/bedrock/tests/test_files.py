"""Files for Converse: names, formats, limits, and the places where they may stand."""

import re

import botocore.session
import pytest
from bedrock_requests import CLAUDE, HI, chat, fate

import jackfield_bedrock
from jackfield import Document, Image, Message, Text, ToolCall, ToolResult, UnsupportedError
from jackfield.plugin import ModelRef

SHAPES = (
    botocore.session.get_session()
    .get_component("data_loader")
    .load_service_model("bedrock-runtime", "service-2")["shapes"]
)
ALLOWED = re.compile(r"[A-Za-z0-9()\[\]-]+( [A-Za-z0-9()\[\]-]+)*")
MICRO = "amazon.nova-micro-v1:0"


def user(*parts):
    return (Message("user", parts),)


def documents(translation):
    """Return all documents of a request, those of tool results too."""
    found = []
    for message in translation.wire.body["messages"]:
        for block in message["content"]:
            inner = block["toolResult"]["content"] if "toolResult" in block else [block]
            found += [one["document"] for one in inner if "document" in one]
    return found


@pytest.mark.parametrize(
    "name",
    [
        "report.pdf",
        "a  b",
        "a\tb\u3000c",
        "Übersicht (2026) [v2].docx",
        "分期报告.pdf",
        "x" * 500,
        f"{'x' * 199} y",
        " - ",
        "John's #1 & more",
        "",
        None,
    ],
)
def test_a_name_is_what_the_service_accepts_and_a_change_is_reported(name):
    translation = chat(CLAUDE, user(Text("?"), Document(data=b"x", media_type="application/pdf", name=name)))
    (block,) = documents(translation)
    assert ALLOWED.fullmatch(block["name"])
    assert len(block["name"]) <= SHAPES["DocumentBlockNameString"]["max"]
    if block["name"] != name:
        assert fate(translation, "messages[0].name")[1] == block["name"]


def test_no_name_is_in_a_request_twice():
    messages = (
        Message(
            "user",
            (Text("?"), Document(data=b"a", name="report.pdf"), Document(data=b"b", name="Report pdf")),
        ),
        Message("assistant", (ToolCall("t", "add", {}),)),
        Message("tool", (ToolResult("t", (Document(data=b"c", name="report_pdf"), Document(data=b"d"))),)),
        Message(
            "user", (Text("?"), Document(data=b"e", name="Document 4"), Document(data=b"f", name="x" * 300))
        ),
        Message("assistant", "ok"),
        Message("user", (Text("?"), Document(data=b"g", name="x" * 201))),
    )
    names = [one["name"] for one in documents(chat(CLAUDE, messages))]
    assert names[:3] == ["report pdf", "Report pdf (2)", "report pdf (3)"]
    assert len({name.lower() for name in names}) == len(names) == 7
    assert all(ALLOWED.fullmatch(name) and len(name) <= 200 for name in names)


@pytest.mark.parametrize(
    ("document", "form"),
    [
        (Document(data=b"x", media_type="text/plain; charset=utf-8"), "txt"),
        (Document(data=b"x", media_type="TEXT/CSV"), "csv"),
        (Document(data=b"x", media_type="application/json"), "txt"),
        (Document(data=b"x", media_type="application/ld+json"), "txt"),
        (Document(data=b"x", media_type="text/x-python"), "txt"),
        (Document(data=b"x", media_type="application/xhtml+xml"), "html"),
        (Document(data=b"x", name="table.XLSX"), "xlsx"),
        (Document(data=b"x", name="notes.markdown"), "md"),
        (Document(url="s3://bucket/a/b.docx"), "docx"),
        (Document(data=b"x", name="no ending"), "pdf"),
        (Document(text="x"), "txt"),
        (Document(text="x", media_type="application/x-of-our-own"), "txt"),
    ],
)
def test_the_format_comes_from_the_media_type_or_the_name(document, form):
    (block,) = documents(chat(CLAUDE, user(Text("?"), document)))
    assert block["format"] == form
    assert form in SHAPES["DocumentFormat"]["enum"]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Document(data=b"x", media_type="application/zip"), "takes documents in pdf, csv"),
        (Image(data=b"x", media_type="image/tiff"), "takes images in png, jpeg, gif, webp"),
        (Image(data=b"x", media_type="image/svg+xml"), "takes images in"),
    ],
)
def test_other_formats_are_refused_or_dropped(part, message):
    with pytest.raises(UnsupportedError, match=message):
        chat(CLAUDE, user(Text("?"), part))
    translation = chat(CLAUDE, user(Text("?"), part), unsupported="drop")
    assert translation.wire.body["messages"][0]["content"] == [{"text": "?"}]
    assert fate(translation, "messages[0]")[0] == "dropped"


@pytest.mark.parametrize(
    "part", [Document(data=b""), Document(text=" \n"), Image(data=b"", media_type="image/png")]
)
def test_an_empty_file_is_left_out(part):
    translation = chat("acme.model-v1", user(Text("?"), part))
    assert translation.wire.body["messages"][0]["content"] == [{"text": "?"}]
    assert fate(translation, "messages[0]")[0] == "dropped"


def test_text_stands_beside_a_document():
    alone = user(Document(data=b"x", name="a"))
    translation = chat(CLAUDE, alone)
    assert [*map(list, translation.wire.body["messages"][0]["content"])] == [["document"], ["text"]]
    assert fate(translation, "messages")[0] == "emulated"
    with pytest.raises(UnsupportedError, match="text beside a document"):
        chat(CLAUDE, alone, emulate=False)


def test_a_message_has_five_documents_at_most():
    six = [Document(data=b"x", name=f"d{number}") for number in range(6)]
    assert len(documents(chat(CLAUDE, user(Text("?"), *six[:5])))) == 5
    joined = (*user(Text("?"), *six[:3]), *user(Text("?"), *six[3:]))
    for messages in (user(Text("?"), *six), joined):
        with pytest.raises(UnsupportedError, match="5 documents in a message"):
            chat(CLAUDE, messages)
        kept = documents(chat(CLAUDE, messages, unsupported="drop"))
        assert [one["name"] for one in kept] == ["d0", "d1", "d2", "d3", "d4"]


def test_files_stand_in_turns_of_the_user_alone():
    picture = Image(data=b"x", media_type="image/png")
    messages = (*HI, Message("assistant", (Text("Here."), picture)), *HI)
    translation = chat(CLAUDE, messages)
    assert translation.wire.body["messages"][1]["content"] == [{"text": "Here."}]
    assert fate(translation, "messages[1]")[0] == "dropped"
    with pytest.raises(UnsupportedError, match="files only in turns of the user"):
        chat(CLAUDE, (Message("system", (Text("Look."), picture)), *HI))


def results(*content, is_error=False):
    return (
        *HI,
        Message("assistant", (ToolCall("t", "add", {}),)),
        Message("tool", (ToolResult("t", content, is_error=is_error),)),
    )


PICTURE = Image(data=b"x", media_type="image/png")


LLAMA = "us.meta.llama4-maverick-17b-instruct-v1:0"


@pytest.mark.parametrize("model", [CLAUDE, "amazon.nova-pro-v1:0", "us.amazon.nova-2-lite-v1:0", LLAMA])
def test_images_stay_in_results_of_tools(model):
    (block,) = chat(model, results(Text("a"), PICTURE)).wire.body["messages"][-1]["content"]
    assert [*map(list, block["toolResult"]["content"])] == [["text"], ["image"]]


@pytest.mark.parametrize("model", ["us.amazon.nova-2-lite-v1:0", "amazon.nova-pro-v1:0"])
def test_documents_of_results_stand_beside_them_for_nova(model):
    messages = results(Text("a"), Document(data=b"x", name="d"))
    translation = chat(model, messages)
    kinds = [*map(list, translation.wire.body["messages"][-1]["content"])]
    assert kinds == [["toolResult"], ["document"], ["text"]]
    assert fate(translation, "messages[2]")[0] == "emulated"
    with pytest.raises(UnsupportedError, match="no documents in results of tools"):
        chat(model, messages, emulate=False)
    assert list(chat(CLAUDE, messages).wire.body["messages"][-1]["content"][0]) == ["toolResult"]


def test_an_error_of_a_tool_always_says_something():
    (block,) = chat(CLAUDE, results(Text(" "), is_error=True)).wire.body["messages"][-1]["content"]
    assert block["toolResult"]["status"] == "error"
    assert block["toolResult"]["content"] == [{"text": "The tool failed and returned nothing."}]


@pytest.mark.parametrize(
    ("model", "feature", "value"),
    [
        (MICRO, "documents", False),
        (MICRO, "images", False),
        (MICRO, "tools", True),
        ("us.amazon.nova-pro-v1:0", "documents", None),
        ("amazon.titan-text-premier-v1:0", "documents", False),
        ("amazon.titan-text-express-v1", "documents", None),
        ("ai21.jamba-instruct-v1:0", "documents", False),
        ("ai21.jamba-instruct-v1:0", "tools", False),
        ("ai21.jamba-1-5-large-v1:0", "images", False),
        ("ai21.jamba-1-5-large-v1:0", "documents", None),
    ],
)
def test_what_a_model_takes_is_that_of_the_user_guide(model, feature, value):
    """Source: Bedrock user guide, supported models and model features of Converse (2025)."""
    features = jackfield_bedrock.jackfield_capabilities(ModelRef(model)).features
    assert (features[feature].value if feature in features else None) is value


def test_a_document_of_text_is_text_for_a_model_without_documents():
    translation = chat(MICRO, user(Text("?"), Document(text="The sky is blue.", name="sky")))
    assert translation.wire.body["messages"][0]["content"] == [{"text": "?"}, {"text": "The sky is blue."}]
    assert fate(translation, "messages[0]")[0] == "emulated"
    with pytest.raises(UnsupportedError, match="documents"):
        chat(MICRO, user(Text("?"), Document(data=b"x", name="sky")))
