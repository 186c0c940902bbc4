"""Addresses by partition, with FIPS and with IPv6, held to botocore's endpoint rules."""

import botocore.session
import pytest
from botocore.endpoint_provider import EndpointProvider

from jackfield import Mesh
from jackfield_bedrock._settings import BedrockSettings, access, control_url, mantle_url

REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1",
           "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1")  # fmt: skip
VARIABLES = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE",
             "AWS_BEARER_TOKEN_BEDROCK")  # fmt: skip


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, tmp_path):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture(scope="module")
def rules():
    loader = botocore.session.get_session().get_component("data_loader")
    partitions = loader.load_data("partitions")
    return {
        name: EndpointProvider(loader.load_service_model(name, "endpoint-rule-set-1"), partitions)
        for name in ("bedrock-runtime", "bedrock")
    }


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("fips", [False, True])
@pytest.mark.parametrize("dual_stack", [False, True])
def test_hosts_are_botocores(rules, monkeypatch, region, fips, dual_stack):
    def theirs(service):
        return rules[service].resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dual_stack).url

    declared = BedrockSettings(region=region, fips=fips, dual_stack=dual_stack)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", str(fips).lower())
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", str(dual_stack).lower())
    for settings in (declared, BedrockSettings(region=region)):
        assert access(settings).base_url == theirs("bedrock-runtime")
        assert control_url(settings) == theirs("bedrock")


def test_the_newer_endpoint_is_in_the_partition_too():
    assert mantle_url(BedrockSettings(region="us-east-1")) == "https://bedrock-mantle.us-east-1.api.aws"
    address = mantle_url(BedrockSettings(region="cn-north-1"))
    assert address == "https://bedrock-mantle.cn-north-1.api.amazonwebservices.com.cn"


def test_what_is_declared_takes_precedence_over_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    url = access(BedrockSettings(region="us-east-1", fips=False)).base_url
    assert url == "https://bedrock-runtime.us-east-1.amazonaws.com"


def test_an_address_of_amazons_own_says_its_region(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    address = "https://vpce-1a.bedrock-runtime.us-west-2.vpce.amazonaws.com"
    settings = BedrockSettings(base_url=address)
    assert settings.place == "us-west-2"
    assert access(settings).base_url == address
    assert BedrockSettings(base_url="http://127.0.0.1:1").place == "eu-central-1"


def test_a_key_of_the_environment_goes_to_every_partition(monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "k")
    for host in ("bedrock-runtime.us-iso-east-1.c2s.ic.gov", "bedrock-runtime.eusc-de-east-1.amazonaws.eu"):
        settings = {"provider": "bedrock", "base_url": f"https://{host}"}
        assert Mesh.from_config({"connections": {"b": settings}}).connections
