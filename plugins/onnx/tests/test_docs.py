"""The tables of the documentation page are the plugin's own.

`JACKFIELD_WRITE_DOCS=1` rewrites them.
"""

from pathlib import Path

import pytest
from provider_pages import check_table

import jackfield_onnx
from jackfield.plugin import ModelRef
from jackfield_onnx._files.catalogue import CATALOGUE
from jackfield_onnx._models import PARAMETERS

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


@pytest.mark.parametrize("make", [features, options])
def test_the_page_shows_the_tables(make):
    check_table(PAGE, make.__name__, make())


def test_the_page_names_every_key():
    import attrs

    for field in attrs.fields(jackfield_onnx.OnnxSettings):
        assert f"| `{field.name}` |" in PAGE.read_text(encoding="utf-8")
