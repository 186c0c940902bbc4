"""Cards of models: what is declared precedes the service's listing, tables and what a name suggests, as in calls."""

import contextlib
import json

import attrs
import pytest
from plain_provider import TABLE, PlainProvider, mesh_for

from jackfield import ModelCard, StreamInterruptedError
from jackfield.plugin import (
    Capabilities,
    Capability,
    Exchange,
    Frame,
    Head,
    Limits,
    Listing,
    ParameterRule,
    Wire,
    hookimpl,
)
from jackfield.testing import Answer

CHAT = frozenset({"chat"})
FROM_TABLE = attrs.evolve(
    TABLE.with_features("table 2026-01-01", tools=True, images=False, json=True),
    limits=Limits(context_window=100, max_output_tokens=10, max_inputs=5),
)
# What a listing's card holds beside the listing's own word: the table's, as most plugins fill it in.
FROM_LISTING = Capabilities(
    known=True,
    kinds=frozenset({"chat", "embedding"}),
    features={
        "tools": Capability(True, "table 2026-01-01"),
        "images": Capability(True, "listing"),
        "json": Capability(None, "listing"),
    },
    source="listing",
)
NAMES = ("known", "kinds", "features", "parameters", "limits", "retired", "source")


class Listed(PlainProvider):
    """A provider whose service lists the one card that the test gives."""

    def __init__(self, card, **more):
        super().__init__(**more)
        self.card = card

    @hookimpl
    def jackfield_discover(self):
        return Listing(Wire("models", method="GET"), lambda head, body: ([self.card], None))


@pytest.fixture
def card_of(server):
    """List one card; gives what the mesh says of it, and what a call of the model sees."""

    async def listed(card, table, **entry):
        server.answer(Answer.json({}))
        plugin = Listed(card, capabilities=table)
        models = [{"id": card.id, **entry}] if entry else None
        async with mesh_for(server.url, plugin, **({"models": models} if models else {})) as mesh:
            (found,) = await mesh.models("c")
            return found, mesh.explain(f"c:{card.id}", "hi").capabilities

    return listed


async def test_what_is_declared_wins_everywhere(card_of):
    listed = ModelCard(
        id="m", kinds=frozenset({"embedding"}), capabilities=FROM_LISTING, limits=Limits(context_window=200)
    )
    declared = {"tools": False, "images": False, "json": False}
    card, called = await card_of(
        listed, FROM_TABLE, kind="chat", capabilities=declared, limits={"context_window": 3, "max_inputs": 2}
    )
    for seen in (card.capabilities, called):
        assert {name: seen.feature(name) for name in declared} == dict.fromkeys(
            declared, Capability(False, "declared")
        )
        assert seen.kinds == CHAT
        assert (seen.limits.context_window, seen.limits.max_inputs) == (3, 2)
    assert (card.kinds, card.limits) == (card.capabilities.kinds, card.capabilities.limits)


async def test_a_card_of_what_no_listing_adds_to_is_what_a_call_sees(card_of):
    entry = {"capabilities": {"tools": False}, "limits": {"context_window": 3}}
    table = attrs.evolve(FROM_TABLE, retired="2999-12-31")
    card, called = await card_of(ModelCard(id="m"), table, **entry)
    for name in NAMES:
        assert getattr(card.capabilities, name) == getattr(called, name)
    assert card.retired == "2999-12-31"


async def test_a_listing_precedes_the_table(card_of):
    card, _ = await card_of(
        ModelCard(id="m", capabilities=FROM_LISTING, limits=Limits(context_window=200), retired="2030-01-01"),
        FROM_TABLE,
    )
    assert card.kinds == card.capabilities.kinds == {"chat", "embedding"}
    assert card.capabilities.feature("images") == Capability(True, "listing")
    assert card.capabilities.feature("json") == Capability(True, "table 2026-01-01")
    assert card.limits == card.capabilities.limits
    assert card.limits == Limits(context_window=200, max_output_tokens=10, max_inputs=5)
    assert card.capabilities.parameters == TABLE.parameters
    assert card.retired == card.capabilities.retired == "2030-01-01"


async def test_sizes_of_a_cards_capabilities_count_as_those_of_the_card(card_of):
    said = attrs.evolve(FROM_LISTING, limits=Limits(context_window=300, max_output_tokens=30))
    card, _ = await card_of(
        ModelCard(id="m", capabilities=said, limits=Limits(context_window=200)), FROM_TABLE
    )
    assert card.limits == Limits(context_window=200, max_output_tokens=30, max_inputs=5)


async def test_what_a_name_suggests_does_not_precede_a_table(card_of):
    """A deployment is listed under the customer's name, from which its plugin infers what the table knows better."""
    inferred = Capabilities(
        kinds=frozenset({"embedding"}),
        features={"tools": Capability(False, "inferred"), "audio": Capability(True, "inferred")},
        parameters={"temperature": ParameterRule(supported=False, source="inferred")},
        limits=Limits(context_window=1, dimensions=8),
        source="inferred",
    )
    listed = ModelCard(
        id="prod", kinds=inferred.kinds, capabilities=inferred, limits=inferred.limits, title="Ours"
    )
    card, called = await card_of(
        listed, FROM_TABLE, underlying="m", kind="chat", capabilities={}, price={"input": "1"}
    )
    assert card.kinds == called.kinds == CHAT
    assert card.capabilities.feature("tools") == called.feature("tools")
    assert card.capabilities.feature("audio") == Capability(True, "inferred")
    assert card.capabilities.parameters == called.parameters
    assert card.limits.context_window == called.limits.context_window == 100
    assert card.limits.dimensions == 8
    assert card.capabilities.source == "table 2026-01-01"
    assert card.title == "Ours"


async def test_kinds_that_only_the_listing_tells_are_the_cards(card_of):
    card, _ = await card_of(ModelCard(id="m", kinds=CHAT), Capabilities())
    assert card.kinds == card.capabilities.kinds == CHAT


async def test_half_a_listing_is_none():
    """A transport of a plugin's own may hand a body over in pieces, and break between two."""

    class Breaks:
        async def open(self):
            pass

        async def aclose(self):
            pass

        @contextlib.asynccontextmanager
        async def exchange(self, wire):
            async def frames():
                yield (Frame(b'{"models": [{"id": "one"}]}'),)
                raise StreamInterruptedError("the answer was cut")

            yield Exchange(Head(200, {}), frames())

    class Plugin(PlainProvider):
        @hookimpl
        def jackfield_transport(self, settings):
            return Breaks()

    async with mesh_for("http://service.invalid", Plugin(), retry={"attempts": 1}) as mesh:
        with pytest.raises(StreamInterruptedError):
            await mesh.models("c")


async def test_what_a_service_tells_one_model_at_a_time_is_asked_for_each(server, caplog):
    """Ollama and its like: the list has names, and `show` the rest."""

    class Shows(PlainProvider):
        @hookimpl
        def jackfield_discover(self):
            def parse(head, body):
                return [ModelCard(id=name) for name in json.loads(body)["models"]], None

            def parse_detail(card, head, body):
                told = json.loads(body)
                return attrs.evolve(card, limits=Limits(context_window=told["context"]))

            def detail(card):
                return None if card.id == "plain" else Wire("show", {"model": card.id})

            return Listing(Wire("models", method="GET"), parse, detail, parse_detail)

    def show(request):
        name = request.json["model"]
        if name == "gone":
            return Answer.json({"error": "no such model"}, status=404)
        return Answer.json({"context": 8000} if name != "odd" else {"contxt": 1})

    server.route("GET", "/models", Answer.json({"models": ["a", "plain", "gone", "odd", "b"]}))
    server.route("POST", "/show", show)
    async with mesh_for(server.url, Shows()) as mesh:
        cards = {card.id: card.limits.context_window for card in await mesh.models("c")}
    assert cards == {"a": 8000, "plain": None, "gone": None, "odd": None, "b": 8000}
    assert "details of the model gone are not known" in caplog.text
    assert "details of the model odd cannot be read" in caplog.text
