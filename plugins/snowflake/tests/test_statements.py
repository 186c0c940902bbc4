"""A statement and its result without Snowpark: what is bound and what came, as JSON."""

import datetime as dt
import json
from contextlib import nullcontext
from decimal import Decimal
from types import SimpleNamespace

from jackfield_snowflake._sessions import Statement


class Cursor:
    sfqid = "q1"
    description = (("A",), ("B",), ("C",), ("D",))

    def execute(self, text, bindings, **more):
        self.bindings = bindings

    def fetchall(self):
        return [(2**70, "half \ud83d", Decimal("1.50"), dt.date(2026, 1, 2))]


class Sessions:
    def __init__(self, cursor):
        self.session = SimpleNamespace(
            connection=SimpleNamespace(cursor=lambda: nullcontext(cursor)), cancel_query=lambda _: None
        )

    def take(self):
        return self.session

    def give(self, *_, **__):
        pass

    __getattr__ = lambda self, name: lambda *_, **__: None


def test_what_strict_json_refuses_is_bound_and_read():
    cursor = Cursor()
    result = Statement(
        Sessions(cursor), "SELECT 1", {"a": {"text": "half \ud83d", "n": 2**70}, "b": "plain"}
    ).run()
    assert [json.loads(cursor.bindings[0]), cursor.bindings[1]] == [
        {"text": "half \ufffd", "n": 2**70},
        "plain",
    ]
    assert json.loads(result) == {
        "query_id": "q1",
        "columns": ["A", "B", "C", "D"],
        "rows": [[2**70, "half \ufffd", "1.50", "2026-01-02"]],
    }
