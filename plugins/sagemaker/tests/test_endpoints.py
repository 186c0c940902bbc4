"""Addresses by partition, with FIPS and with IPv6, held to botocore's endpoint rules."""

import botocore.session
import pytest
from botocore.endpoint_provider import EndpointProvider

from jackfield import ConfigurationError
from jackfield_sagemaker._settings import SageMakerSettings, access, control_address, region_of, s3_address

REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1",
           "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1")  # fmt: skip


@pytest.fixture(scope="module")
def rules():
    loader = botocore.session.get_session().get_component("data_loader")
    partitions = loader.load_data("partitions")
    return {
        name: EndpointProvider(loader.load_service_model(name, "endpoint-rule-set-1"), partitions)
        for name in ("sagemaker-runtime", "sagemaker", "s3")
    }


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("fips", [False, True])
@pytest.mark.parametrize("dual_stack", [False, True])
def test_hosts_are_botocores(rules, monkeypatch, region, fips, dual_stack):
    def theirs(service, **more):
        return (
            rules[service].resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dual_stack, **more).url
        )

    declared = SageMakerSettings(region=region, fips=fips, dual_stack=dual_stack)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", str(fips).lower())
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", str(dual_stack).lower())
    for settings in (declared, SageMakerSettings(region=region)):
        assert access(settings).base_url == theirs("sagemaker-runtime")
        assert control_address(settings) == theirs("sagemaker")
        for bucket in ("bucket", "with.dots"):
            if fips and region.startswith("cn-"):
                continue  # S3 has no FIPS in China
            expected = theirs("s3", Bucket=bucket, ForcePathStyle=False, Accelerate=False)
            assert s3_address(settings, region, bucket) == expected


def test_the_region_of_an_address_is_that_of_the_signature(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    address = "https://runtime.sagemaker.us-west-2.amazonaws.com"
    settings = SageMakerSettings(base_url=address)
    assert region_of(settings, settings.identity) == "us-west-2"
    with pytest.raises(ConfigurationError, match="base_url is in us-west-2, and region is us-east-1"):
        SageMakerSettings(base_url=address, region="us-east-1")
