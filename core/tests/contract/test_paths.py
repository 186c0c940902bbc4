"""Ids of models never change an address: they are refused, or quoted, before anything is sent."""

import pytest
from hypothesis import given, strategies
from plain_provider import PlainProvider, hello, mesh_for

from jackfield import ConfigurationError, JackfieldError, MalformedResponseError, Mesh, UnknownTargetError
from jackfield._contract.paths import address_danger, model_id_fault
from jackfield._http.transport import HttpTransport
from jackfield.plugin import HttpAccess, Listing, Wire, hookimpl, quote_path, quote_segment
from jackfield.testing import Answer, RecordingServer

LEGITIMATE = [
    "gpt-4o",
    "gpt-4o-mini-2024-07-18",
    "ft:gpt-4o-mini-2024-07-18:org:suffix:AbC1",
    "claude-3-5-sonnet@20240620",
    "anthropic.claude-3-haiku-20240307-v1:0",
    "eu.anthropic.claude-sonnet-4-20250514-v1:0",
    "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/abc",
    "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/mine",
    "meta-llama/Llama-3.3-70B-Instruct",
    "publishers/google/models/gemini-2.5-pro",
    "projects/p/locations/europe-west4/endpoints/123",
    "projects/example.com:p/locations/l/endpoints/1",
    "accounts/fireworks/models/llama-v3p1",
    "deepseek/deepseek-r1:free",
    "@cf/meta/llama-3-8b",
    "llama3.2:3b-instruct-q4_K_M",
    "system.ai.claude",
    "/data/models/My Model.gguf",
    "1234567890",
    "Ærlig/modell",
    "a..b",
    "...",
    "hub:owner/name@main",
    "a&b=c+d~e!f,g'h(i)",
]

HOSTILE = [
    "m/../../other",
    "..",
    ".",
    "../m",
    "m/..",
    "m/./x",
    "m/..;x=1/y",
    "m/ .. /y",
    "m\\..\\other",
    "m\\x",
    "m?a=",
    "m#",
    "m#x",
    "m%2e%2e",
    "m%2F..%2Fx",
    "m%252e",
    "m%00",
    "m//x",
    "m/",
    "//evil.example/m",
    "http://evil.example/m",
    "m\n",
    "m\r\nX-Header: 1",
    "m\x00",
    "m\x7f",
    "m\x85x",
    "m\u2028x",
    "m\u200bx",
    "m\u202ex",
    " m",
    "m ",
    "\tm",
    "m\u00a0",
    "m*",
]


@pytest.mark.parametrize("name", LEGITIMATE)
def test_ids_of_all_services_are_valid(name):
    assert model_id_fault(name) is None


@pytest.mark.parametrize("name", HOSTILE)
async def test_an_id_that_changes_an_address_is_refused_before_anything_is_sent(server, name):
    for models in (None, ["m*"], ["*"]):
        more = {} if models is None else {"models": models}
        async with mesh_for(server.url, **more) as mesh:
            for call in (
                lambda mesh=mesh: mesh.chat(f"c:{name}", "hi"),
                lambda mesh=mesh: mesh.embed(f"c:{name}", ["hi"]),
                lambda mesh=mesh: mesh.count_tokens(f"c:{name}", "hi"),
            ):
                with pytest.raises(
                    UnknownTargetError, match="is not valid as the id of a model: it"
                ) as caught:
                    await call()
                assert caught.value.model == name
                assert "\n" not in str(caught.value)
            with pytest.raises(UnknownTargetError):
                async with mesh.stream_chat(f"c:{name}", "hi"):
                    pass
    assert server.requests == []


@pytest.mark.parametrize("name", LEGITIMATE)
async def test_a_wildcard_matches_what_stands_before_it(server, name):
    server.answer(hello())
    async with mesh_for(server.url, models=[f"{name[:2]}*"]) as mesh:
        await mesh.chat(f"c:{name}", "hi")
        with pytest.raises(JackfieldError, match="does not allow"):
            await mesh.chat(f"c:x{name}", "hi")
    assert [request.json["model"] for request in server.requests] == [name]


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "m*"])
def test_an_id_that_is_declared_is_checked_when_the_configuration_is_loaded(name):
    with pytest.raises(ConfigurationError) as caught:
        mesh_for("http://127.0.0.1:9", models=["good", name], tables={"aliases": {"fast": f"c:{name}"}})
    assert [mistake.partition(":")[0] for mistake in caught.value.mistakes] == [
        "connections.c.models[1].id",
        "aliases.fast",
    ]


def test_a_pattern_may_end_in_a_slash_before_its_star():
    mesh_for("http://127.0.0.1:9", models=["accounts/fireworks/*", "*", "/data/*"])
    with pytest.raises(ConfigurationError, match="is not valid as the id of a model"):
        mesh_for("http://127.0.0.1:9", models=["accounts/../*"])


async def test_a_listed_id_that_cannot_be_called_is_not_allowed_and_hides_no_other(server):
    server.route("GET", "/models*", Answer.json({"models": ["good", "../../admin", "x?y"]}))
    async with mesh_for(server.url) as mesh:
        cards = {card.id: card.allowed for card in await mesh.models("c")}
    assert cards == {"good": True, "../../admin": False, "x?y": False}


# Quoting, for plugin authors


def test_a_segment_is_quoted_whole():
    assert quote_segment("anthropic.claude-v1:0") == "anthropic.claude-v1%3A0"
    assert quote_segment("org/name?x#y%41 ü") == "org%2Fname%3Fx%23y%2541%20%C3%BC"
    assert quote_segment("claude@2024", safe="@") == "claude@2024"
    assert quote_segment("a/b?c#d%", safe="/?#%@") == "a%2Fb%3Fc%23d%25"
    assert quote_path("projects/p:q/endpoints/1", safe=":") == "projects/p:q/endpoints/1"


@pytest.mark.parametrize("name", ["", ".", "..", "a/../b", "a\\..\\b", "../a", "a\nb", "a\x00", "..;x"])
def test_what_cannot_be_a_segment_is_refused(name):
    for quoted in (quote_segment, quote_path):
        with pytest.raises(ConfigurationError, match="cannot stand in the path of an address"):
            quoted(name)


@pytest.mark.parametrize("name", ["a//b", "/a", "a/", "a/./b"])
def test_a_path_has_no_empty_segment(name):
    with pytest.raises(ConfigurationError, match="cannot stand in the path of an address"):
        quote_path(name)


@given(strategies.text(min_size=1, max_size=20))
def test_a_quoted_segment_is_one_segment_of_plain_characters(text):
    try:
        quoted = quote_segment(text)
    except (ConfigurationError, UnicodeEncodeError):
        return
    assert not set(quoted) & set("/?#\\ \r\n")
    assert quoted not in {".", "..", ""}
    assert address_danger(f"https://host.example/v1/{quoted}:method?x=1") is None


# The last guard: a plugin that quotes nothing


@pytest.mark.parametrize(
    "path",
    [
        "/models/../admin",
        "/models/%2e%2E/admin",
        "/models/x%2F..%2Fadmin",
        "/models/x%5c..%5cadmin",
        "/models/..",
        "/./models",
        "/models/x#:method",
        "/models/x y",
        "/models/x\\y",
        "/models/x\r\nHost: evil",
        "https://127.0.0.1:9/../x",
    ],
)
async def test_a_path_that_leads_elsewhere_is_not_sent(server, path):
    transport = HttpTransport(HttpAccess(base_url=server.url))
    await transport.open()
    with pytest.raises(ConfigurationError, match="cannot be sent"):
        async with transport.exchange(Wire(path, {})):
            pass
    await transport.aclose()
    assert server.requests == []


@pytest.mark.parametrize(
    "path", ["/a.b/..c/d..", "/x?next=../y", "/a%2Fb/c", "/v1/m:generate?alt=sse&x=%2e%2e"]
)
async def test_dots_elsewhere_are_sent(server, path):
    server.answer(Answer.text("ok"))
    transport = HttpTransport(HttpAccess(base_url=server.url))
    await transport.open()
    async with transport.exchange(Wire(path, {})):
        pass
    await transport.aclose()
    assert server.requests[-1].path_qs == path


# Listings


class Follows(PlainProvider):
    """Follows whatever address the service names."""

    @hookimpl
    def jackfield_discover(self, settings):
        import orjson

        def parse(head, body):
            value = orjson.loads(body)
            return [], Wire(value["next"], method="GET") if value.get("next") else None

        return Listing(Wire("/models", method="GET"), parse)


async def test_a_next_page_on_another_host_does_not_get_the_key(server):
    async with RecordingServer() as other:
        server.route("GET", "/models", Answer.json({"next": f"{other.url}/models?page=2"}))
        async with mesh_for(server.url, Follows()) as mesh:
            with pytest.raises(MalformedResponseError, match="goes on at another place, 127.0.0.1:"):
                await mesh.models("c")
        assert other.requests == []


async def test_a_next_page_at_the_same_host_is_followed(server):
    server.route("GET", "/models", Answer.json({"next": f"{server.url}/models2"}))
    server.route("GET", "/models2", Answer.json({}))
    async with mesh_for(server.url, Follows()) as mesh:
        await mesh.models("c")
    assert [request.path_qs for request in server.requests] == ["/models", "/models2"]


def test_a_mesh_that_explains_refuses_as_well():
    with pytest.raises(UnknownTargetError):
        mesh_for("http://127.0.0.1:9").explain("c:m/../x", "hi")
    assert isinstance(mesh_for("http://127.0.0.1:9"), Mesh)
