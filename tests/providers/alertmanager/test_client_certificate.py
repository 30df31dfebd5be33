"""Client certificates: the real server, which lets nobody in without one, over TLS."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
import trustme

from reconciler.emulator.settings import wall_clock
from reconciler.providers.protocol import ErrorKind, ServiceError
from tests.cli.run_cli import reconciler
from tests.providers.alertmanager.objects import STACK, desired, opened, push
from tests.servers.alertmanager import START_S, Alertmanager, alertmanager_config


class Site(NamedTuple):
    """The server, and the files a client needs."""

    url: str
    ca: str
    certificate: dict[str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    for name, issued in (("server", authority.issue_cert("127.0.0.1")), ("client", authority.issue_cert("ops"))):
        issued.cert_chain_pems[0].write_to_path(directory / f"{name}.pem")
        issued.private_key_pem.write_to_path(directory / f"{name}.key")
    tls = {
        "cert_file": str(directory / "server.pem"),
        "key_file": str(directory / "server.key"),
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_ca_file": str(directory / "ca.pem"),
    }
    (directory / "web.yml").write_text(json.dumps({"tls_server_config": tls}))
    flags = ["--cluster.listen-address=", f"--web.config.file={directory / 'web.yml'}"]
    server = Alertmanager(directory / "server", alertmanager_config(), flags=flags)
    certificate = {"cert_file": str(directory / "client.pem"), "key_file": str(directory / "client.key")}
    made = Site(server.url.replace("http:", "https:"), str(directory / "ca.pem"), certificate)
    try:
        server.launch()
        await_ready(made)
        yield made
    finally:
        server.kill()


def await_ready(site: Site) -> None:
    deadline = time.monotonic() + START_S
    pair = (site.certificate["cert_file"], site.certificate["key_file"])
    while True:
        try:
            if requests.get(f"{site.url}/-/ready", timeout=5, verify=site.ca, cert=pair).status_code == 200:
                return
        except requests.ConnectionError:
            assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_client_with_a_certificate_pushes_and_queries(site: Site) -> None:
    provider = opened([site.url], ca_file=site.ca, client_certificate=site.certificate)
    provider.send([push(desired(), wall_clock())])
    assert [found.marks.key for found in provider.observe(STACK, [])] == ["key-1"]
    provider.close()


@pytest.mark.parametrize("settings", [{"certificate": False}, {"ca": False}], ids=["no certificate", "no ca_file"])
def test_a_client_without_is_told_so_and_nothing_is_sent(site: Site, settings: dict[str, bool]) -> None:
    given = {"client_certificate": site.certificate} if settings.get("certificate", True) else {}
    given |= {"ca_file": site.ca} if settings.get("ca", True) else {}
    provider = opened([site.url], **given)
    with pytest.raises(ServiceError) as raised:
        list(provider.observe(STACK, []))
    assert raised.value.kind in (ErrorKind.UNSENT, ErrorKind.AMBIGUOUS)
    assert raised.value.detail.message
    provider.close()


def test_whole_commands_go_through(site: Site, tmp_path: Path) -> None:
    block = {"endpoints": [site.url], "ca_file": site.ca, "client_certificate": site.certificate}
    alerts = {"Down": {"labels": {"severity": "critical"}, "timeout": "1h"}}
    stack = {"stack": "tls", "providers": {"alertmanager": block}, "resources": {"alertmanager_alert": alerts}}
    (tmp_path / "stack.yaml").write_text(json.dumps(stack))
    assert reconciler("apply", tmp_path, "--auto-approve").code == 0
    assert "No changes." in reconciler("plan", tmp_path).out
    assert reconciler("destroy", tmp_path, "--auto-approve").code == 0
