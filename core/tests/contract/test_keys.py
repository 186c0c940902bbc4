"""Where keys go: what nobody chose for an address goes to the provider's own hosts alone."""

import json

import attrs
import pytest
from click.testing import CliRunner
from plain_provider import PlainProvider, hello, mesh_for

from jackfield import AuthenticationError, ConfigurationError, Mesh, MissingCredentialError, Registry, Secret
from jackfield._contract.keys import is_loopback, settle_keys
from jackfield.cli._group import make_cli
from jackfield.plugin import hookimpl, is_at_hosts, may_carry_secrets, secret
from jackfield.testing import Answer

OWN = "https://api.acme.example/v1"


@attrs.frozen(kw_only=True)
class Settings:
    api_key: Secret | None = secret(env="ACME_API_KEY")
    spare: Secret | None = secret()
    base_url: str = OWN
    credentials: object = None


class Acme(PlainProvider):
    id = "acme"
    cls = Settings

    @hookimpl
    def jackfield_provider(self):
        return attrs.evolve(super().jackfield_provider(), id="acme", settings=self.cls)


def mesh(**keys):
    config = {"connections": {"vllm": {"provider": "acme", **keys}}}
    return Mesh.from_config(config, registry=Registry.of(Acme()))


@pytest.mark.parametrize(
    "address",
    [
        "http://10.0.0.1:8000/v1",
        "http://127.0.0.1.evil/v1",
        "http://127.0.0.1:8000@evil/v1",
        "http://api.acme.example/v1",
        "https://acme.example",
        "https://api.acme.example.evil/v1",
        "https://evil-api.acme.example/v1",
        "https://evil/?https://api.acme.example/v1",
        "https://evil\\@api.acme.example/v1",
        "https://evil#@api.acme.example",
    ],
)
def test_a_default_key_is_refused_to_a_foreign_address(address, monkeypatch):
    monkeypatch.setenv("ACME_API_KEY", "sk-real")
    with pytest.raises(ConfigurationError) as caught:
        mesh(base_url=address)
    assert caught.value.mistakes[0].startswith(
        "connections.vllm.api_key: is missing; its default (env:ACME_API_KEY) is for api.acme.example alone"
    )
    assert 'write api_key = "env:NAME"' in caught.value.message
    assert 'api_key = "none"' in caught.value.message
    assert "sk-real" not in caught.value.message


@pytest.mark.parametrize(
    "address", [None, OWN, "https://api.acme.example", "https://eu.api.acme.example:443/v1"]
)
def test_a_default_key_goes_to_the_providers_own_hosts(address):
    mesh(**({} if address is None else {"base_url": address}))


@pytest.mark.parametrize("key", ["env:ACME_API_KEY", "env:OTHER", "none", False, Secret("sk")])
def test_a_key_that_is_written_goes_where_it_is_sent(key):
    assert mesh(base_url="http://127.0.0.1:8000/v1", api_key=key).connections["vllm"].settings.base_url


def test_a_default_that_credentials_replace_is_not_sent():
    settings = Settings(base_url="https://elsewhere.example", credentials=object())
    assert settle_keys(settings, {"base_url", "credentials"}) == (settings, [])


def test_a_plugin_says_which_hosts_are_its_own_and_where_a_key_goes():
    @attrs.frozen(kw_only=True)
    class Deployed:
        token: Secret | None = secret(
            env="T", hosts=("acme.cloud",), sent_to=lambda settings: (settings.base_url or settings.host,)
        )
        host: str = "https://a.acme.cloud"
        base_url: str | None = None

    # An address of another name is the customer's own, by declaration.
    for settings in (
        Deployed(),
        Deployed(base_url="https://b.acme.cloud"),
        Deployed(host="https://corp.example"),
    ):
        assert settle_keys(settings, ()) == (settings, [])
    _, (fault,) = settle_keys(Deployed(base_url="https://acme.example"), ())
    assert fault[0] == "token"
    assert "for acme.cloud alone" in fault[1]


def test_without_an_address_of_its_own_a_default_is_never_sent():
    @attrs.frozen(kw_only=True)
    class Hosted:
        base_url: str
        api_key: Secret | None = secret(env="T")

    _, ((key, fault),) = settle_keys(Hosted(base_url="https://acme.example"), ())
    assert key == "api_key"
    assert "no host that is known" in fault


def test_a_default_that_is_no_secret_field_is_watched_as_well():
    @attrs.frozen(kw_only=True)
    class Plain:
        base_url: str = OWN
        api_key: Secret = attrs.field(default=Secret.parse("env:ACME_API_KEY"))

    _, ((key, _),) = settle_keys(Plain(base_url="https://gateway.example"), ())
    assert key == "api_key"


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8000/v1", "https://localhost/v1", "http://[::1]:11434"]
)
def test_a_server_on_this_machine_gets_no_default_key(address, monkeypatch):
    monkeypatch.setenv("ACME_API_KEY", "sk-real")
    loaded = mesh(base_url=address)
    assert loaded.connections["vllm"].settings.api_key.is_none
    assert "Authorization" not in loaded.explain("vllm:m", "hi").headers


async def test_a_server_on_this_machine_that_wants_a_key_is_told_of(server, monkeypatch):
    monkeypatch.setenv("ACME_API_KEY", "sk-real")
    server.route("*", "*", Answer.json({"error": {"message": "who are you?"}}, status=401))
    async with mesh(base_url=server.url) as entered:
        told = 'no key was sent; write api_key = "env:NAME"'
        with pytest.raises(AuthenticationError, match=told):
            await entered.chat("vllm:m", "hi")
        with pytest.raises(AuthenticationError, match=told):
            await entered.models("vllm")
    assert not any("authorization" in request.headers for request in server.requests)
    server.route("*", "*", Answer.json({"error": {"message": "who are you?"}}, status=401))
    async with mesh(base_url=server.url, api_key=Secret("sk-wrong")) as entered:
        with pytest.raises(AuthenticationError) as caught:
            await entered.chat("vllm:m", "hi")
    assert "no key was sent" not in caught.value.message


# A user in the address


@pytest.mark.parametrize("key", ["env:ACME_API_KEY", Secret("sk")])
@pytest.mark.parametrize("address", ["https://me:it@gateway.example/v1", "http://token@127.0.0.1:1"])
async def test_a_user_in_the_address_beside_a_key_is_refused_before_anything_is_sent(
    monkeypatch, address, key
):
    monkeypatch.setenv("ACME_API_KEY", "sk")
    async with mesh(base_url=address, api_key=key) as entered:
        for shown in (repr(entered.connections["vllm"]), repr(entered.explain("vllm:m", "hi"))):
            assert "me:it" not in shown
            assert "token@" not in shown
        with pytest.raises(ConfigurationError, match="base_url holds a user or a password") as caught:
            await entered.chat("vllm:m", "hi")
    assert "me:it" not in caught.value.message


def test_a_user_in_the_address_may_be_the_only_proof():
    mesh(base_url="https://me:it@gateway.example/v1", api_key="none")
    mesh(base_url="https://gateway.example/v1/@me", api_key="env:ACME_API_KEY")


# "none"


@pytest.mark.parametrize("none", ["none", False])
async def test_nothing_is_sent_where_none_is_declared(server, monkeypatch, none):
    monkeypatch.setenv("PLAIN_KEY", "sk-real")
    server.answer(hello())
    async with mesh_for(server.url, api_key=none) as entered:
        await entered.chat("c:m", "hi")
        assert "Authorization" not in entered.explain("c:m", "hi").headers
    assert "authorization" not in server.requests[0].headers


def test_none_is_a_secret_that_says_so():
    none = Secret.parse("none")
    assert none.is_none
    assert not Secret("none").is_none
    assert not Secret(reference="env:none").is_none
    assert repr(none) == "Secret(none)"
    with pytest.raises(MissingCredentialError, match='"none" is declared'):
        none.reveal()


@pytest.mark.parametrize("value", [True, "", "sk-a-key", "None", 1])
def test_what_is_no_reference_is_not_taken_for_none(value):
    with pytest.raises(ConfigurationError, match=r"api_key: (it )?must be a reference"):
        mesh(base_url="http://127.0.0.1:1", api_key=value)


# Reading addresses


def test_an_address_is_at_a_host_or_below_it():
    hosts = ("acme.example",)
    for address in ("https://acme.example", "https://a.b.ACME.example./x", "https://acme.example:8443?x"):
        assert is_at_hosts(address, hosts)
    for address in (
        "http://acme.example", "https://acme.example.evil", "https://xacme.example", "https://acme.example@evil/",
        "https://evil\\.acme.example", "https://[::1", "acme.example", "", "https://acme.example:x",
    ):  # fmt: skip
        assert not is_at_hosts(address, hosts)


def test_an_address_of_this_machine():
    for address in (
        "http://127.0.0.1",
        "http://localhost:8000/v1",
        "http://[::1]:1",
        "http://x.localhost",
        "http://127.1.2.3",
    ):
        assert is_loopback(address)
    for address in (
        "http://10.0.0.1",
        "http://localhost.evil",
        "http://127.0.0.1.evil",
        "http://evil/127.0.0.1",
        "",
    ):
        assert not is_loopback(address)


# The command line


def warnings_of(tmp_path, text, words="plain http"):
    path = tmp_path / "jackfield.toml"
    path.write_text(text, "utf-8")
    command = make_cli(Registry.of(PlainProvider()))
    result = CliRunner().invoke(command, ["--config", str(path), "config", "validate", "--json"])
    assert result.exit_code == 0, result.output
    return [line for line in json.loads(result.stdout)["warnings"] if words in line]


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        ('base_url = "http://gateway.corp/v1"\napi_key = "env:PLAIN_KEY"', ["api_key"]),
        ('base_url = "http://gateway.corp/v1"\napi_key = "none"', []),
        ('base_url = "https://gateway.corp/v1"\napi_key = "env:PLAIN_KEY"', []),
        ('base_url = "http://127.0.0.1:1/v1"\napi_key = "env:PLAIN_KEY"', []),
        (
            'base_url = "http://gateway.corp"\napi_key = "none"\nheaders = {X-Key = "env:PLAIN_KEY", X-Team = "a"}',
            ["headers.X-Key"],
        ),
    ],
)
def test_a_key_over_plain_http_to_another_machine_is_warned_of(tmp_path, keys, warned):
    lines = warnings_of(tmp_path, f'[connections.c]\nprovider = "plain"\n{keys}\n')
    assert [line.partition(": it goes")[0].rpartition("connections.c.")[2] for line in lines] == warned


def test_a_key_that_is_not_sent_is_warned_of(tmp_path):
    text = '[connections.c]\nprovider = "plain"\nbase_url = "http://localhost:8000"\n'
    (line,) = warnings_of(tmp_path, text, "api_key")
    assert 'write api_key = "none" to say so' in line
    assert warnings_of(tmp_path, f'{text}api_key = "none"\n', "api_key") == []


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("https://api.acme.example/v1", True),
        ("HTTPS://API.acme.example", True),
        ("http://127.0.0.1:8000", True),
        ("http://localhost", True),
        ("http://[::1]:9/v1", True),
        ("http://api.acme.example", False),
        ("http://127.0.0.1.evil", False),
        ("http://127.0.0.1@evil", False),
        ("https://evil\\@127.0.0.1", False),
        ("https://", False),
        ("https://.", False),
        ("https://acme.example:port", False),
        ("ftp://localhost", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_secrets_go_over_tls_or_stay_within_this_machine(address, may):
    assert may_carry_secrets(address) is may
