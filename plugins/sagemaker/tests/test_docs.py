"""The tables of the documentation page are the plugin's own. `JACKFIELD_WRITE_DOCS=1` rewrites them."""

import pytest
from provider_pages import check_table

from jackfield_sagemaker._models import modes
from jackfield_sagemaker._settings import MODES


def the_modes():
    yield ["mode", "container", "serves", "streams", "source"]
    for name, row in modes().items():
        kinds = ", ".join(row.kinds) or "what its placeholders say"
        streams = "if declared" if name == "template" else "yes" if row.streams else "no"
        yield [f"`{name}`", row.title, kinds, streams, row.source]


def the_options():
    own = {name: row for name, row in modes().items() if row.options}
    options = list(dict.fromkeys(option for row in own.values() for option in row.options))
    yield ["option", *(f"`{name}`" for name in own)]
    for option in options:
        cells = (row.options.get(option, "") for row in own.values())
        yield [f"`{option}`", *(f"`{cell}`" if cell else "" for cell in cells)]


@pytest.mark.parametrize("make", [the_modes, the_options])
def test_the_page_shows_the_tables(make):
    check_table("sagemaker", make)


def test_the_table_has_every_mode():
    assert set(modes()) == set(MODES)
