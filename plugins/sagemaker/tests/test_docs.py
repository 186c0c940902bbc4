"""The tables of the documentation page are the plugin's own. `JACKFIELD_WRITE_DOCS=1` rewrites them."""

from pathlib import Path

import pytest
from provider_pages import check_table

from jackfield_sagemaker._models import modes
from jackfield_sagemaker._settings import MODES

PAGE = Path(__file__).parents[3] / "docs/providers/sagemaker.md"


def of_modes():
    yield ["mode", "container", "serves", "streams", "source"]
    for name, row in modes().items():
        kinds = ", ".join(row.kinds) or "what its placeholders say"
        streams = "if declared" if name == "template" else "yes" if row.streams else "no"
        yield [f"`{name}`", row.title, kinds, streams, row.source]


def of_options():
    own = {name: row for name, row in modes().items() if row.options}
    options = list(dict.fromkeys(option for row in own.values() for option in row.options))
    yield ["option", *(f"`{name}`" for name in own)]
    for option in options:
        cells = (row.options.get(option, "") for row in own.values())
        yield [f"`{option}`", *(f"`{cell}`" if cell else "" for cell in cells)]


@pytest.mark.parametrize(("name", "rows"), [("modes", of_modes), ("options", of_options)])
def test_the_pages_tables(name, rows):
    check_table(PAGE, name, list(rows()))


def test_the_table_has_every_mode():
    assert set(modes()) == set(MODES)
