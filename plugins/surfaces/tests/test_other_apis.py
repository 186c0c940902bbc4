"""Embeddings, rerankings, completions, counts and lists: what is read, and what is written."""

import base64
import json
from array import array
from decimal import Decimal

import pytest
from meshes_of_fakes import mesh_of
from reading_back import ask
from recordings import bodies_of, counted, recorded

from jackfield import EmbedReply, Mesh, ModelCard, Ranking, Registry, RerankReply, TokenCount, Usage
from jackfield.plugin import Limits
from jackfield.testing import FakeProvider
from jackfield_surfaces import SURFACES, find_route, resolve_target, serve

VECTORS = [array("f", [0.5, -0.25]), array("f", [1.0, 2.0])]


def whole(surface, asked, reply):
    return json.loads(SURFACES[surface].whole(asked, reply))


def test_embeddings_are_numbers_or_base64():
    reply = EmbedReply(embeddings=VECTORS, usage=Usage(7), model="m")
    read = SURFACES["openai.embeddings"].read
    asked = read({}, {"model": "c:m", "input": ["a", "b"], "dimensions": 2, "user": "u"})
    assert asked.arguments == (["a", "b"],)
    assert asked.options == {"unsupported": "error", "dimensions": 2, "user": "u"}
    answer = whole("openai.embeddings", asked, reply)
    assert [entry["embedding"] for entry in answer["data"]] == [[0.5, -0.25], [1.0, 2.0]]
    assert answer["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    coded = read({}, {"model": "c:m", "input": "a", "encoding_format": "base64"})
    first = whole("openai.embeddings", coded, reply)["data"][0]["embedding"]
    assert base64.b64decode(first) == bytes.fromhex("0000003f000080be")


def test_arrays_of_numpy_are_written_alike():
    numpy = pytest.importorskip("numpy")
    reply = EmbedReply(embeddings=[numpy.array(vector, dtype="float32") for vector in VECTORS])
    for form in ("float", "base64"):
        asked = SURFACES["openai.embeddings"].read({}, {"model": "m", "input": "a", "encoding_format": form})
        plain = whole("openai.embeddings", asked, EmbedReply(embeddings=VECTORS))
        assert whole("openai.embeddings", asked, reply)["data"] == plain["data"]


def test_a_rerank_is_read_in_both_forms_and_answered_for_both():
    read = SURFACES["cohere.rerank"].read
    cohere = read(
        {}, {"model": "c:m", "query": "q", "documents": ["a", "b"], "top_n": 1, "max_tokens_per_doc": 9}
    )
    assert cohere.arguments == ("q", ["a", "b"])
    assert cohere.options["top_n"] == 1
    assert cohere.options["extra"] == {"cohere": {"max_tokens_per_doc": 9}}
    jina = read(
        {}, {"model": "c:m", "query": "q", "documents": [{"text": "a"}, "b"], "return_documents": True}
    )
    reply = RerankReply(
        results=(Ranking(1, 0.9), Ranking(0, 0.1)), usage=Usage(units={"search_unit": Decimal(1)})
    )
    assert whole("cohere.rerank", cohere, reply)["results"] == [
        {"index": 1, "relevance_score": 0.9},
        {"index": 0, "relevance_score": 0.1},
    ]
    answer = whole("cohere.rerank", jina, reply)
    assert [result["document"] for result in answer["results"]] == [{"text": "b"}, {"text": "a"}]
    assert answer["meta"]["billed_units"] == {"search_units": 1}


def test_completions_are_read():
    asked = ask(
        "openai.completions", prompt=["Once"], logprobs=2, suffix="end", stop="x", n=2, best_of=2, echo=False
    )
    assert asked.arguments == ("Once",)
    options = {k: v for k, v in asked.options.items() if k != "unsupported"}
    assert options == {"logprobs": True, "top_logprobs": 2, "suffix": "end", "stop": ["x"], "n": 2}
    echoed = ask("openai.completions", echo=True)
    assert [(field.name, field.changes) for field in echoed.left_out({"anthropic"})] == [("echo", True)]


def test_counts_have_the_shape_of_their_api():
    count = TokenCount(input_tokens=17, exact=True, source="service")
    asked = SURFACES["anthropic.count_tokens"].read(
        {}, {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    )
    assert (asked.kind, "max_tokens" in asked.options) == ("count", False)
    assert whole("anthropic.count_tokens", asked, count) == {"input_tokens": 17}
    asked = SURFACES["openai.input_tokens"].read({}, {"model": "m", "input": "x"})
    assert whole("openai.input_tokens", asked, count) == {
        "object": "response.input_tokens",
        "input_tokens": 17,
    }


CARDS = [ModelCard(id=f"m{n}", connection="c", limits=Limits(context_window=9), title="M") for n in range(5)]


def test_lists_of_models_have_the_shape_of_their_api():
    listed = whole("openai.models", SURFACES["openai.models"].read({}, {}), CARDS)
    assert listed["object"] == "list"
    own = {"limits": {"context_window": 9}}
    assert listed["data"][0] == {
        "id": "c:m0",
        "object": "model",
        "created": 0,
        "owned_by": "c",
        "jackfield": own,
    }
    read = SURFACES["anthropic.models"].read
    page = whole("anthropic.models", read({}, {"limit": "2", "after_id": "c:m1"}), CARDS)
    assert [entry["id"] for entry in page["data"]] == ["c:m2", "c:m3"]
    assert (page["has_more"], page["first_id"], page["last_id"]) == (True, "c:m2", "c:m3")
    assert page["data"][0]["max_input_tokens"] == 9
    back = whole("anthropic.models", read({}, {"limit": "2", "before_id": "c:m3"}), CARDS)
    assert [entry["id"] for entry in back["data"]] == ["c:m1", "c:m2"]
    empty = whole("anthropic.models", read({}, {}), [])
    assert (empty["data"], empty["first_id"], empty["has_more"]) == ([], None, False)


def test_recorded_requests_of_embeddings_and_rerankings_are_read():
    surfaces = {"openai.embeddings": "openai.embeddings", "cohere.rerank_v2": "cohere.rerank"}
    read = 0
    for row, body in bodies_of(recorded("openai", "cohere"), *surfaces):
        inputs = body.get("input", "x")
        is_text = isinstance(inputs, str) or (inputs and all(isinstance(one, str) for one in inputs))
        if row["response"]["status"] < 400 and is_text:  # tokens are not served
            SURFACES[surfaces[row["api"]]].read({}, body)
            read += 1
    assert read == counted(39)


# Paths and targets


@pytest.mark.parametrize(
    ("method", "path", "headers", "surface", "model"),
    [
        ("POST", "/v1/chat/completions", {}, "openai.chat", ""),
        ("POST", "/team/a/v1/chat/completions/", {}, "openai.chat", ""),
        ("POST", "/v1/responses", {}, "openai.responses", ""),
        ("POST", "/v1/responses/input_tokens", {}, "openai.input_tokens", ""),
        ("POST", "/v1/messages", {"anthropic-version": "x"}, "anthropic.messages", ""),
        ("POST", "/v1/messages/count_tokens", {}, "anthropic.count_tokens", ""),
        ("POST", "/v2/rerank", {}, "cohere.rerank", ""),
        ("GET", "/v1/models", {}, "openai.models", ""),
        ("GET", "/v1/models", {"anthropic-version": "x"}, "anthropic.models", ""),
        ("GET", "/v1/models/c%3Aorg%2Fm", {}, "openai.models", "c:org/m"),
    ],
)
def test_a_path_has_a_surface(method, path, headers, surface, model):
    route = find_route(method, path, headers)
    assert (route.surface, route.model) == (surface, model)


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/chat", "/v1/messages/batches", "/xv1/messages", "/v1/modelsx"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_other_paths_have_none(method, path):
    assert find_route(method, path, {}) is None


def test_a_name_is_a_target_an_alias_or_an_id_that_is_unambiguous():
    fake = FakeProvider()
    connections = {
        "a": {"provider": "fake", "models": ["m1", "both"]},
        "b": {"provider": "fake", "models": ["m2", "both", "fam-*"]},
    }
    mesh = Mesh.from_config(
        {"aliases": {"best": "a:m1"}, "connections": connections}, registry=Registry.of(fake)
    )
    names = {
        "a:x": "a:x",
        "best": "best",
        "m1": "a:m1",
        "m2": "b:m2",
        "fam-1": "b:fam-1",
        "both": "both",
        "no": "no",
    }
    assert {name: resolve_target(mesh, name) for name in names} == names
    single = Mesh.from_config({"connections": {"a": {"provider": "fake"}}}, registry=Registry.of(fake))
    assert resolve_target(single, "llama3:8b") == "a:llama3:8b"


async def test_an_unknown_path_is_an_error_in_the_form_of_the_client():
    async with mesh_of() as mesh:
        ours = await serve(mesh, "GET", "/v1/nothing", {}, b"")
        theirs = await serve(mesh, "GET", "/v1/nothing", {"Anthropic-Version": "2023-06-01"}, b"")
    assert (ours.status, theirs.status) == (404, 404)
    assert json.loads(ours.body)["error"]["code"] == "not_found"
    assert json.loads(theirs.body)["error"]["type"] == "not_found_error"


async def test_a_policy_is_the_connections_unless_it_is_given():
    body = json.dumps({"model": "c:echo", "messages": [{"role": "user", "content": "x"}], "mood": 1}).encode()
    for declared, given, status in (
        ("error", None, 400),
        ("drop", None, 200),
        ("error", "drop", 200),
        ("drop", "error", 400),
    ):
        async with mesh_of(unsupported=declared) as mesh:
            served = await serve(mesh, "POST", "/v1/chat/completions", {}, body, unsupported=given)
        assert served.status == status
