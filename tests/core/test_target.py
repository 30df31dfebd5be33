"""Targets: where a provider block points, in one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from reconciler.core.target import Target, canonical_endpoint, target_of
from reconciler.providers.aom.settings import AomSettings
from reconciler.providers.bcm.settings import BcmSettings
from reconciler.providers.ces.settings import CesSettings

_AUTH = {"token": "a-secret-token"}


def test_a_target_names_the_provider_type_the_region_and_the_project() -> None:
    settings = AomSettings.model_validate({"region": "cn-north-4", "project_id": "p1", "auth": _AUTH})

    assert target_of("aom", settings) == Target("aom", "cn-north-4", "p1")
    assert str(target_of("aom", settings)) == "aom cn-north-4 p1"


def test_the_embedded_emulator_is_the_same_target_in_every_run() -> None:
    settings = CesSettings.model_validate({"endpoint": "embedded", "project_id": "p1", "auth": _AUTH})

    assert target_of("ces", settings) == Target("ces", "embedded", "p1")


def test_the_public_endpoint_of_a_region_is_that_region() -> None:
    by_url = {"endpoint": "https://AOM.cn-north-4.myhuaweicloud.com:443/", "project_id": "p1", "auth": _AUTH}

    assert target_of("aom", AomSettings.model_validate(by_url)) == Target("aom", "cn-north-4", "p1")


def test_a_bcm_target_names_the_account() -> None:
    settings = BcmSettings.model_validate({"region": "bj", "user_id": "u1", "auth": {"ak": "ak1", "sk": "sk1"}})

    assert target_of("bcm", settings) == Target("bcm", "bj", "u1")


class _ThirdParty(BaseModel):
    endpoints: list[str]
    password: SecretStr = SecretStr("hush")


def test_settings_of_a_third_party_are_read_by_convention_and_show_no_secret() -> None:
    settings = _ThirdParty(endpoints=["https://user:hush@B:443/x/", "http://a:9093"])

    assert target_of("mine", settings) == Target("mine", "http://a:9093,https://b/x")


@pytest.mark.parametrize("text", ["", "aom", "aom  p", "a b c d"])
def test_a_text_that_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a target"):
        Target.parse(text)


@given(
    st.sampled_from(["aom", "ces"]), st.from_regex(r"https://[a-z]{1,9}(:[1-9][0-9]{0,3})?(/[a-z]+)?", fullmatch=True)
)
def test_a_target_is_read_back_from_its_text(kind: str, place: str) -> None:
    target = Target(kind, canonical_endpoint(place), "p-1")

    assert Target.parse(str(target)) == target
