"""The table of models and the listing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import jackfield_openai
from jackfield import MalformedResponseError, Mesh
from jackfield.plugin import FEATURES, Head, ModelRef
from jackfield.testing import Answer, RecordingServer

HERE = Path(jackfield_openai.__file__).parent
TABLE = json.loads((HERE / "models.json").read_text(encoding="utf-8"))
PRICES = json.loads((HERE / "prices.json").read_text(encoding="utf-8"))


def known(model):
    return jackfield_openai.jackfield_capabilities(ModelRef(model))


@pytest.mark.parametrize("model", TABLE["models"])
def test_every_row_is_read(model):
    found = known(model)
    assert found.known
    assert found.kinds
    assert set(found.features) <= set(FEATURES)
    row = TABLE["models"][model]
    assert set(row) <= {"kind", "route", "input", "output", "retired", "family", "lacks", "dimensions"}
    assert row.get("family") is None or row["family"] in TABLE["families"]


def test_counts_of_the_tables():
    assert len(TABLE["models"]) == 95
    assert len(PRICES["models"]) == 68


def test_an_unknown_model_is_unknown():
    found = known("a-model-of-tomorrow")
    assert (found.known, found.kinds, found.features, found.parameters) == (False, frozenset(), {}, {})


def test_a_fine_tuned_model_has_the_capabilities_of_its_base():
    assert known("ft:gpt-4o-mini-2024-07-18:acme::abc") == known("gpt-4o-mini-2024-07-18")


def test_a_listed_model_has_the_capabilities_of_the_table():
    listing = jackfield_openai.jackfield_discover()
    body = {"data": [{"id": "gpt-4"}, {"id": "new", "shutdown_date": 1_800_000_000}, {"id": "newer", "shutdown_date": "2027-02-03"}]}  # fmt: skip
    cards, after = listing.parse(Head(200), json.dumps(body).encode())
    assert after is None
    assert [(card.id, card.retired) for card in cards] == [
        ("gpt-4", "2026-10-23"),
        ("new", "2027-01-15"),
        ("newer", "2027-02-03"),
    ]
    assert cards[0].limits.context_window == 8192
    assert [c.id for c in listing.parse(Head(200), b'[{"id": "a"}]')[0]] == ["a"]
    with pytest.raises(MalformedResponseError):
        listing.parse(Head(200), b'{"data": 1}')


@pytest.mark.parametrize("model", ["gpt-3.5-turbo", "gpt-4"])
async def test_the_first_models_are_declarable_and_the_allow_list_holds(model, monkeypatch):
    from jackfield import ModelNotAllowedError

    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")
    answer = {
        "id": "c",
        "model": model,
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
    }
    async with RecordingServer() as server:
        server.answer(
            Answer.json(
                {**answer, "usage": {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}}
            )
        )
        entry = {
            "provider": "openai",
            "base_url": f"{server.url}/v1",
            "api_key": "env:OPENAI_API_KEY",
            "models": [model],
        }
        async with Mesh.from_config({"connections": {"first": entry}}) as mesh:
            reply = await mesh.chat(f"first:{model}", "Hello")
            assert reply.text == "Hi"
            assert reply.cost.amount is not None
            with pytest.raises(ModelNotAllowedError):
                await mesh.chat("first:gpt-4o", "Hello")
        assert len(server.requests) == 1
