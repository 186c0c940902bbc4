"""The tables of the documentation page are the plugin's own.

`JACKFIELD_WRITE_DOCS=1` rewrites them.
"""

import pytest
from provider_pages import WORDS, bounds_of, check_keys, check_table

import jackfield_onnx
from jackfield.plugin import ModelRef
from jackfield_onnx._files.catalogue import CATALOGUE
from jackfield_onnx._models import PARAMETERS


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
        yield [f"`{name}`", WORDS[rule.supported], bounds_of(rule), rule.why or ""]


@pytest.mark.parametrize("make", [features, options])
def test_the_page_shows_the_tables(make):
    check_table("onnx", make)


def test_the_page_names_every_key():
    check_keys("onnx", jackfield_onnx.OnnxSettings)
