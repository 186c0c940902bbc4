"""Models, listing and prices."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

import jackfield_mistral as mistral
from jackfield import MalformedResponseError, Mesh, MissingCredentialError, Usage
from jackfield.plugin import CostContext, Head, ModelRef
from jackfield.testing import cost_of
from jackfield_mistral import MistralSettings
from jackfield_mistral._models import known_models

NOW = datetime(2026, 11, 22, tzinfo=UTC).timestamp()


def of(model):
    return mistral.jackfield_capabilities(ModelRef(model))


def card(model, settings=None, **context):
    told = CostContext(**{"when": NOW, "kind": "chat", **context})
    return mistral.jackfield_cost(ModelRef(model, settings=settings), told)


def amounts(*arguments, **context):
    found = card(*arguments, **context)
    return None if found is None else {unit: str(rate.amount) for unit, rate in found.rates.items()}


# -- models ------------------------------------------------------------------------------------------------------


def test_every_row_can_be_read():
    for model in known_models():
        known = of(model)
        assert known.known
        assert known.kinds
        assert all(capability.source == "table 2026-11-22" for capability in known.features.values())


def test_an_unknown_model_is_unknown():
    assert not of("mistral-huge-2701").known
    assert of("mistral-huge-2701").kinds == {"chat"}
    assert of("mistral-embed-2701").kinds == {"embedding"}
    assert of("codestral-2701").kinds == {"chat", "completion"}
    assert not of("mistral-huge-2701").parameters


def test_a_tuned_model_is_known_as_its_base():
    assert of("ft:open-mistral-7b:me:20240601:abc") == of("open-mistral-7b")
    assert (
        mistral.jackfield_capabilities(ModelRef("mine", underlying="mistral:mistral-embed")).limits.dimensions
        == 1024
    )


def test_embeddings_are_cut_conservatively():
    limits = of("mistral-embed").limits
    assert (limits.dimensions, limits.max_input_tokens, limits.max_input_tokens_per_request) == (
        1024,
        8192,
        16384,
    )


# -- the listing -------------------------------------------------------------------------------------------------


def listed(*entries):
    listing = mistral.jackfield_discover()
    cards, more = listing.parse(Head(200), json.dumps({"object": "list", "data": entries}).encode())
    assert more is None
    return cards


def entry(name, **capabilities):
    return {
        "id": name,
        "object": "model",
        "type": "base",
        "max_context_length": 4096,
        "capabilities": capabilities,
    }


def test_the_listing_says_what_the_table_does_not():
    (new,) = listed(
        entry("a-new-model", completion_chat=True, completion_fim=True, function_calling=False, vision=True)
    )
    assert (new.kinds, new.limits.context_window) == ({"chat", "completion"}, 4096)
    assert new.capabilities.feature("tools").value is False
    assert new.capabilities.feature("images").source == "listing"


def test_the_listing_wins_over_the_table():
    (small,) = listed(entry("mistral-small-2603", completion_chat=True, reasoning=False))
    assert small.capabilities.feature("reasoning").value is False
    assert small.capabilities.feature("json").value is True
    assert small.limits.context_window == 4096


def test_retired_and_tuned_models():
    old, tuned = listed(
        entry("open-mistral-7b"), {**entry("ft:x"), "root": "mistral-embed", "type": "fine-tuned"}
    )
    assert (old.retired, tuned.kinds) == ("2025-03-30", {"embedding"})


def test_what_is_no_listing_is_malformed():
    with pytest.raises(MalformedResponseError):
        mistral.jackfield_discover().parse(Head(200), b'{"object": "list"}')


# -- prices ------------------------------------------------------------------------------------------------------


def test_the_reported_model_is_priced():
    assert amounts("mistral-small", reported_model="mistral-small-2603") == {
        "input": "0.15",
        "output": "0.6",
        "cache_read": "0.015",
    }


def test_the_day_chooses_the_rate():
    before = datetime(2026, 3, 15, tzinfo=UTC).timestamp()
    assert amounts("mistral-small-latest", when=before) == {"input": "0.1", "output": "0.3"}
    assert (
        amounts("mistral-large-4-0", when=datetime(2026, 10, 25, tzinfo=UTC).timestamp())["input"] == "1.36"
    )


def test_batches_and_tiers():
    assert amounts("mistral-large-2512", batch=True) == {"input": "0.25", "output": "0.75"}
    assert amounts("mistral-large-2407", batch=True) is None
    assert amounts("mistral-large-2512", service_tier="standard") is not None
    assert amounts("mistral-large-2512", service_tier="priority") is None


def test_a_regional_host_costs_a_tenth_more():
    europe = MistralSettings(base_url="https://api.eu.mistral.ai")
    found = card("mistral-large-2512", europe)
    assert found.rates["input"].amount == Decimal("0.55")
    assert found.rates["cache_read"].amount == Decimal("0.055")
    assert card("mistral-embed", europe, kind="embedding").rates["input"].amount == Decimal("0.1")
    assert card("mistral-large-2512", MistralSettings()).rates["input"].amount == Decimal("0.5")


@pytest.mark.parametrize(
    "model", ["mistral-large-latest", "open-mistral-nemo", "mistral-small-2402", "made-up"]
)
def test_what_is_not_known_for_sure_is_unknown(model):
    assert card(model) is None


def test_a_bill_by_hand():
    # 8 plain at 0.15, 4 from the cache at 0.015, 5 out at 0.6 USD a million
    now = CostContext(when=NOW, kind="chat")
    cost = cost_of(mistral, "mistral-small-2603", Usage(12, 5, 4), now)
    assert (cost.status, cost.amount) == ("complete", Decimal("0.00000426"))
    seen = cost_of(mistral, "open-mixtral-8x7b", Usage(1_000_000, 1_000_000), now)
    assert seen.amount == Decimal("1.4")


# -- settings ----------------------------------------------------------------------------------------------------


def test_the_way_to_the_service():
    access = mistral.jackfield_transport(MistralSettings(base_url="https://api.us.mistral.ai/"))
    assert access.base_url == "https://api.us.mistral.ai"
    assert (access.auth.name, access.auth.prefix) == ("Authorization", "Bearer ")


async def test_the_key_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("MISTRAL_API_KEY", raising=False)
    async with Mesh.from_config({"connections": {"m": {"provider": "mistral"}}}) as mesh:
        with pytest.raises(MissingCredentialError, match="MISTRAL_API_KEY"):
            await mesh.embed("m:mistral-embed", ["a"])
