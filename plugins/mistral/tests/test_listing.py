"""The live list of models."""

from __future__ import annotations

import json

import pytest

import jackfield_mistral as mistral
from jackfield import MalformedResponseError
from jackfield.plugin import Head


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


def test_a_model_that_is_not_in_the_table_has_the_listed_capabilities():
    (new,) = listed(
        entry("a-new-model", completion_chat=True, completion_fim=True, function_calling=False, vision=True)
    )
    assert (new.kinds, new.limits.context_window) == ({"chat", "completion"}, 4096)
    assert new.capabilities.feature("tools").value is False
    assert new.capabilities.feature("images").source == "listing"


def test_the_listing_takes_precedence_over_the_table():
    (small,) = listed(entry("mistral-small-2603", completion_chat=True, reasoning=False))
    assert small.capabilities.feature("reasoning").value is False
    assert small.capabilities.feature("json").value is True
    assert small.limits.context_window == 4096


def test_retired_and_tuned_models():
    old, tuned = listed(
        entry("open-mistral-7b"), {**entry("ft:x"), "root": "mistral-embed", "type": "fine-tuned"}
    )
    assert (old.retired, tuned.kinds) == ("2025-03-30", {"embedding"})


def test_json_that_is_not_a_listing_is_malformed():
    with pytest.raises(MalformedResponseError):
        mistral.jackfield_discover().parse(Head(200), b'{"object": "list"}')
