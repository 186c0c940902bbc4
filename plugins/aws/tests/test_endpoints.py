"""Hosts of AWS's partitions, held to botocore's own data."""

import botocore.session
import pytest

from jackfield_aws import AMAZON_HOSTS, AwsCredentials, AwsIdentity, domain_of, region_in

PARTITIONS = botocore.session.get_session().get_component("data_loader").load_data("partitions")["partitions"]


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda partition: partition["id"])
def test_the_domains_are_botocores(partition):
    outputs = partition["outputs"]
    for region in partition["regions"]:
        if region.endswith("-global"):
            continue
        assert domain_of(region) == outputs["dnsSuffix"]
        assert domain_of(region, dual_stack=True) == outputs["dualStackDnsSuffix"]
    assert {outputs["dnsSuffix"], outputs["dualStackDnsSuffix"]} <= set(AMAZON_HOSTS)


@pytest.mark.parametrize(
    ("address", "region"),
    [
        ("https://bedrock-runtime.us-east-1.amazonaws.com", "us-east-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/", "us-gov-west-1"),
        ("https://vpce-0a1b-2c3d.bedrock-runtime.eu-west-3.vpce.amazonaws.com", "eu-west-3"),
        ("https://runtime.sagemaker.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("https://bedrock-mantle.eusc-de-east-1.api.amazonwebservices.eu", "eusc-de-east-1"),
        ("https://bedrock.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("https://bedrock-runtime.us-east-1.proxy.example", None),  # nobody knows what that host means by it
        ("http://127.0.0.1:4566", None),
        (None, None),
    ],
)
def test_the_region_of_an_address_is_read_at_amazons_hosts_alone(address, region):
    assert region_in(address) == region


@pytest.mark.parametrize("value", ["true", "TRUE", "false", "1", "yes", ""])
@pytest.mark.parametrize("where", ["environment", "profile", "both"])
def test_fips_and_dual_stack_are_read_as_botocore_reads_them(monkeypatch, tmp_path, where, value):
    other = "true" if where == "both" else value
    if where != "environment":
        lines = f"[profile p]\nuse_fips_endpoint = {other}\nuse_dualstack_endpoint = {other}\n"
        (tmp_path / "config").write_text(lines)
    if where != "profile":
        monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", value)
        monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", value)
    (tmp_path / "config").touch()
    if where == "environment":
        (tmp_path / "config").write_text("[profile p]\n")
    theirs = botocore.session.Session(profile="p")
    from botocore.utils import ensure_boolean

    identity = AwsIdentity(AwsCredentials(profile="p"))
    assert identity.wants_fips() == ensure_boolean(theirs.get_config_variable("use_fips_endpoint") or False)
    found = theirs.get_config_variable("use_dualstack_endpoint") or False
    assert identity.wants_dual_stack() == ensure_boolean(found)
