"""The list is read by day, and a call costs what it says."""

import pytest
from jackfield import Mesh, Registry
from jackfield.plugin import CostContext, ModelRef
from jackfield.testing import FakeAnswer, FakeProvider

import jackfield_negotiated

MODEL = "llama-3.3-70b-versatile"
NEW_YEAR, AUGUST = 1_767_225_600, 1_785_542_400


def price(model, when, provider="groq"):
    return jackfield_negotiated.jackfield_price(ModelRef(model), CostContext(when=when, provider=provider))


@pytest.mark.parametrize(("when", "input_rate"), [(NEW_YEAR, "0.50"), (AUGUST, "0.41")])
def test_the_row_of_the_day_holds(when, input_rate):
    card = price(MODEL, when)
    assert str(card.rates["input"].amount) == input_rate
    assert card.currency == "EUR"
    assert "contract 2026-014" in card.rates["input"].source


def test_an_empty_cell_is_unknown_and_not_free():
    assert "cache_read" not in price(MODEL, NEW_YEAR).rates


@pytest.mark.parametrize(
    ("model", "when", "provider"),
    [("another", AUGUST, "groq"), (MODEL, AUGUST, "openai"), (MODEL, NEW_YEAR - 1, "groq")],
)
def test_what_is_in_no_contract_has_no_price(model, when, provider):
    assert price(model, when, provider) is None


async def test_a_call_costs_what_the_contract_says():
    fake = FakeProvider("groq")
    fake.script(FakeAnswer(text="Hello!", usage=(1_000_000, 1_000_000)))
    registry = Registry.of(fake, extensions=[jackfield_negotiated])
    async with Mesh.from_config({"connections": {"groq": {"provider": "groq"}}}, registry=registry) as mesh:
        reply = await mesh.chat(f"groq:{MODEL}", "Hi")

    assert (str(reply.cost.amount), reply.cost.currency) == ("1.01", "EUR")
    assert reply.cost.status == "complete"


def test_it_is_found_by_its_entry_point():
    states = {plugin.name: plugin.state for plugin in Registry.installed().plugins(load=True)}
    assert states["negotiated"] == "ready"
