"""Identities have forms as connections have."""

import tomllib

import attrs
import pytest
from configuring import FILE, Theirs, configured, fields_of_page
from console_running import messages_of

from jackfield import Registry, Secret
from jackfield.plugin import CredentialKind, ProviderInfo, hookimpl, secret
from jackfield_console._connection_forms import identity_sheet

KINDS = Registry.installed().names("credentials")


@attrs.frozen(kw_only=True)
class RoleSettings:
    """An identity.

    Attributes:
        role: The role.
        token: A reference to its token.
    """

    role: str
    token: Secret | None = secret()


@attrs.frozen(kw_only=True)
class Settings:
    """A connection.

    Attributes:
        host: Where it is.
        credentials: Its identity.
    """

    host: str = "h"
    credentials: object = None
    delay: float = 0.0


class WithIdentity(Theirs):
    @hookimpl
    def jackfield_provider(self):
        return ProviderInfo(
            id=self.id, title="Theirs", settings=Settings, kinds=frozenset({"chat"}), credentials=("role",)
        )


@pytest.fixture
async def running(tmp_path):
    plugins = Registry.of(
        WithIdentity("theirs", models=("m",)),
        credentials={"role": CredentialKind(RoleSettings, lambda settings: settings)},
    )
    async with configured(tmp_path, FILE, registry=plugins) as running:
        yield running


async def test_an_identity_is_added_used_edited_and_removed(running):
    browser, path = running.browser, running.path
    before = path.read_text()
    fields = fields_of_page(await browser.get("/identities/new/role"))
    assert fields["connection-name"] == "role-main"
    await browser.post(
        "/identities/new/role", {**fields, "role": "reader", "token.way": "env", "token": "TOKEN"}
    )
    assert (
        '[credentials.role-main]\nkind = "role"\nrole = "reader"\ntoken = "env:TOKEN"\n' in path.read_text()
    )
    fields = fields_of_page(await browser.get("/connections/edit/theirs"))
    assert fields["credentials"] == ""
    await browser.post("/connections/edit/theirs", {**fields, "credentials": "role-main"})
    assert 'credentials = "role-main"\n' in path.read_text()
    fields = fields_of_page(await browser.get("/identities/edit/role-main"))
    await browser.post("/identities/edit/role-main", {**fields, "role": "writer"})
    assert running.state.current.config.credentials["role-main"].role == "writer"
    await browser.post("/identities/remove", {"name": "role-main"})
    assert "The identity role-main stays" in messages_of(await browser.get("/connections"))[0]
    fields = fields_of_page(await browser.get("/connections/edit/theirs"))
    await browser.post("/connections/edit/theirs", {**fields, "credentials": ""})
    await browser.post("/identities/remove", {"name": "role-main"})
    assert tomllib.loads(path.read_text()) == tomllib.loads(before)


async def test_mistakes_of_an_identity_stand_beside_their_field(running):
    fields = fields_of_page(await running.browser.get("/identities/new/role"))
    page = await running.browser.post(
        "/identities/new/role", {**fields, "role": "", "token.way": "env", "token": ""}, status=422
    )
    assert "write the name of the variable" in page.partition('id="e-token">')[2].partition("</p>")[0]
    page = await running.browser.post("/identities/new/role", {**fields, "role": ""}, status=422)
    assert "is missing" in page.partition('id="e-role">')[2].partition("</p>")[0]
    await running.browser.get("/identities/new/nothing", status=404)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_identity_has_a_form(kind):
    sheet = identity_sheet(Registry.installed(), kind)
    assert sheet.fixed == {"kind": kind}
    assert all(field.meaning for field in sheet.form.leaves())
    assert sheet.form.read({}).values == {}
