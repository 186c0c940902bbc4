"""The tables of the documentation page are the plugin's own.

`JACKFIELD_WRITE_DOCS=1` rewrites them.
"""

import os
import re
from pathlib import Path

import pytest

import jackfield_onnx
from jackfield import ModelRef
from jackfield_onnx._capabilities import PARAMETERS
from jackfield_onnx._catalogue import CATALOGUE

PAGE = Path(__file__).parents[3] / "docs/providers/onnx.md"
WORDS = {True: "yes", False: "no", None: "unknown"}


def features():
    known = {
        name: jackfield_onnx.jackfield_capabilities(ModelRef(name)) for name in (*CATALOGUE, "in a folder")
    }
    names = dict.fromkeys(name for one in known.values() for name in one.features)
    yield ["", *(f"`{name}`" if name in CATALOGUE else name for name in known)]
    yield ["kinds", *(", ".join(sorted(one.kinds)) or "as declared" for one in known.values())]
    for name in names:
        yield [name, *(WORDS[one.feature(name).value] for one in known.values())]


def options():
    yield ["option", "honoured", "allowed", "why not"]
    for name, rule in PARAMETERS.items():
        bounds = [f"at least {rule.minimum:g}"] if rule.minimum is not None else []
        bounds += [f"at most {rule.maximum:g}"] if rule.maximum is not None else []
        bounds += [", ".join(map(str, rule.choices))] if rule.choices is not None else []
        yield [f"`{name}`", WORDS[rule.supported], "; ".join(bounds), rule.why or ""]


def table(rows):
    first, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([first, "|" + "---|" * (first.count(" | ") + 1), *rest])


@pytest.mark.parametrize("make", [features, options])
def test_the_page_shows_the_tables(make):
    text = PAGE.read_text(encoding="utf-8")
    between = re.compile(rf"(<!-- table: {make.__name__} -->\n)(.*?)(<!-- end -->)", re.DOTALL)
    if os.environ.get("JACKFIELD_WRITE_DOCS"):
        PAGE.write_text(between.sub(lambda m: f"{m[1]}\n{table(make())}\n\n{m[3]}", text), encoding="utf-8")
        return

    assert between.search(text)[2].strip() == table(make())


def test_the_page_names_every_key():
    import attrs

    for field in attrs.fields(jackfield_onnx.OnnxSettings):
        assert f"| `{field.name}` |" in PAGE.read_text(encoding="utf-8")
