"""The example of an own wire format reads what real servers have sent. Its own tests run by `nox -s examples`."""

from pathlib import Path

import orjson
import pytest
from documented_code import ROOT, blocks
from recordings import recorded

from jackfield import Registry
from jackfield.plugin import CompletionRequest, ModelRef, Options
from jackfield.testing import Case
from jackfield.testing._subject import Subject

SOURCE = Path(__file__).parents[1] / "docs/examples/http-tgi/src"


@pytest.fixture(scope="module")
def tgi():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SOURCE)
        import jackfield_tgi

        yield Subject(jackfield_tgi)


def lines():
    return [line for line in recorded("hf") if line["api"] == "hf.generate"]


def reads(line):
    """Return what a line is to the plugin: an answer, an error, or why it is not for this plugin."""
    body = line["response"]["body"]
    asked = (line.get("request") or {}).get("body")
    if line["response"]["status"] >= 400:
        return "error"
    if isinstance(body, str) and "chat.completion" in body:
        return "another dialect: chat completions"
    if "error_in_stream" in line["tags"]:
        return "error"
    if isinstance(body, str) and line["response"]["body_kind"] == "sse":
        return "answer"
    said = body[0] if isinstance(body, list) and body else body
    if isinstance(said, dict) and isinstance(said.get("generated_text"), str):
        return "a conversation, which the hosted API no longer has" if "conversation" in said else "answer"
    return f"another task: {'image' if isinstance(asked, str) else 'no text is generated'}"


def decoded(tgi, line):
    response = line["response"]
    body = response["body"]
    body = body.encode() if isinstance(body, str) else orjson.dumps(body)
    streamed = response["body_kind"] == "sse"
    kind = "text/event-stream" if streamed else "application/json"
    case = Case(
        model=line["model"] or "tgi",
        kind="completion",
        wire=body,
        status=response["status"],
        content_type=kind,
        stream=streamed,
    )
    return tgi.decoded(case)


def expected(line):
    """Read the text, the reason and the count by hand."""
    body = line["response"]["body"]
    if line["response"]["body_kind"] != "sse":
        said = body[0] if isinstance(body, list) else body
        details = said.get("details") or {}
        return said["generated_text"], details.get("finish_reason"), details.get("generated_tokens")
    events = [orjson.loads(row[5:]) for row in body.splitlines() if row.startswith("data:")]
    text = "".join(event["token"]["text"] for event in events if not event["token"]["special"])
    details = events[-1]["details"] or {}
    assert (
        events[-1]["generated_text"].strip().endswith(text.strip())
    )  # the hosted API put the prompt before it
    return text, details.get("finish_reason"), details.get("generated_tokens")


def test_every_line_is_read_or_has_a_reason(tgi):
    counts = {}
    for line in lines():
        what = reads(line)
        counts[what] = counts.get(what, 0) + 1
        got = decoded(tgi, line) if what in {"answer", "error"} else None
        if what == "answer":
            assert got.error is None, line["id"]
            (choice,) = got.folded.choices
            text, reason, count = expected(line)
            assert choice.text == text, line["id"]
            assert choice.finish_reason == {"length": "length", None: "other"}.get(reason, "stop")
            assert (got.folded.usage.output_tokens if got.folded.usage else None) == count
        elif what == "error":
            assert got.error is not None, line["id"]
            assert got.fault is None, line["id"]
    assert counts["answer"] >= 70
    assert counts["error"] >= 20
    assert sum(counts.values()) == len(lines())


def test_errors_have_the_class_that_they_mean(tgi):
    names = {}
    for line in lines():
        if reads(line) == "error":
            error = decoded(tgi, line).error
            status = line["response"]["status"]
            names.setdefault(type(error).__name__, set()).add(status)
            message = line["response"]["body"]
            if isinstance(message, dict) and isinstance(message["error"], str):
                assert message["error"] in str(error)
    assert names == {
        "InvalidRequestError": {200, 400, 422},
        "ContextLengthExceededError": {200, 422},
        "NotFoundError": {404},
        "OverloadedError": {503},
        "RateLimitError": {429},
    }


KNOWN = {"max_new_tokens", "seed", "temperature", "stop", "top_k", "top_p", "frequency_penalty"}
OURS = {"max_new_tokens": "max_tokens"}


def test_a_recorded_request_can_be_made_again(tgi):
    made, others = 0, set()
    for line in lines():
        body = (line.get("request") or {}).get("body")
        if not isinstance(body, dict) or not isinstance(body.get("inputs"), str) or reads(line) != "answer":
            continue
        given = {
            key: value for key, value in (body.get("parameters") or {}).items() if value not in (None, [])
        }
        options = {OURS.get(name, name): value for name, value in given.items() if name in KNOWN}
        rest = {name: value for name, value in given.items() if name not in KNOWN}
        others |= rest.keys()
        request = CompletionRequest(
            body["inputs"],
            Options(**options, extra={"tgi": {"parameters": rest}}),
            stream=bool(body.get("stream")),
        )
        wire = tgi.translate(ModelRef("tgi", kind="completion"), request).wire
        assert wire.body["inputs"] == body["inputs"]
        parameters = dict(wire.body["parameters"])
        parameters["details"] = given.get("details", parameters["details"])
        assert parameters == {"details": True, **given}
        made += 1
    assert made >= 15
    assert others <= {
        "do_sample", "return_full_text", "truncate", "typical_p", "best_of", "watermark", "details",
        "decoder_input_details", "top_n_tokens", "repetition_penalty", "grammar",
    }  # fmt: skip


def test_the_examples_are_no_part_of_what_is_installed():
    assert not {"tgi", "negotiated"} & {plugin.name for plugin in Registry.installed().plugins()}


def test_the_tutorial_builds_the_example_word_for_word():
    page = ROOT / "docs/tutorial/first-plugin.md"
    found = {}
    for block in blocks(page, page.read_text("utf-8")):
        what, _, name = block.directive.partition(" ")
        if what == "file" and not name.startswith("compatible/"):
            found[name] = block.text
    example = SOURCE.parent
    assert found == {name: (example / name).read_text("utf-8") for name in found}
    # Its hooks are the template's but for two changes, which the test of the template makes.
    modules = {str(path.relative_to(example)) for path in (example / "src").rglob("_[a-z]*.py")}
    assert modules <= found.keys()
