"""Tokens, IAM users and signatures, against the emulator; and against a service that answers oddly."""

from __future__ import annotations

import builtins
import logging
import threading

import pytest

from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.duration import HOUR, parse_instant
from reconciler.emulator.settings import Settings, User, wall_clock
from reconciler.providers.protocol import ErrorKind, ServiceError
from tests.providers.aom.objects import STACK, desired, opened, push
from tests.providers.service import Asked, Reply, service

IAM = {"user": "tester", "password": 'p4ss/w\u00f6rd"', "domain": "acme", "project": "demo"}
USER = User("tester", IAM["password"], "acme")


def via_iam(url: str, iam_url: str | None = None, *, now: int | None = None, **changes: str):
    clock = wall_clock if now is None else lambda: now
    return opened(url, clock, auth={"iam": {**IAM, "endpoint": iam_url or url, **changes}})


@pytest.mark.parametrize("emulator", [Settings(token="very-secret-token")], indirect=True)  # noqa: S106 - made up
def test_a_token_opens_the_service(emulator) -> None:
    opened(emulator.url).send([push(desired(), starts_at=emulator.now())])
    assert len(emulator.active_alarms()) == 1


@pytest.mark.parametrize("emulator", [Settings(token="another-token")], indirect=True)  # noqa: S106 - made up
def test_a_wrong_token_is_denied(emulator) -> None:
    with pytest.raises(ServiceError) as caught:
        opened(emulator.url).send([push(desired())])
    assert caught.value.kind is ErrorKind.DENIED
    assert caught.value.detail.status == 401
    assert caught.value.detail.message


@pytest.mark.parametrize("emulator", [Settings(token="x", users=(USER,))], indirect=True)  # noqa: S106 - made up
def test_an_iam_user_gets_one_token_for_many_requests(emulator) -> None:
    provider = via_iam(emulator.url)
    for n in range(3):
        provider.send([push(desired(f"a{n}"), starts_at=emulator.now())])
    assert len(list(provider.observe(STACK, []))) == 3
    assert [one["path"] for one in emulator.requests()].count("/v3/auth/tokens") == 1


@pytest.mark.parametrize("emulator", [Settings(token="x", users=(USER,))], indirect=True)  # noqa: S106 - made up
def test_a_wrong_password_is_denied_and_not_shown(emulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ServiceError) as caught:
        via_iam(emulator.url, password="wr0ng-secret").send([push(desired())])  # noqa: S106 - made up
    assert caught.value.kind is ErrorKind.DENIED
    assert caught.value.detail.message.startswith("no token from IAM: ")
    assert "wr0ng-secret" not in f"{caught.value!r}{caught.value.detail}{caplog.text}"
    assert not emulator.alarms()


@pytest.mark.parametrize("emulator", [Settings(token="x", users=(USER,), token_lifetime=HOUR)], indirect=True)  # noqa: S106 - made up
def test_a_token_the_service_no_longer_takes_is_renewed_once(emulator) -> None:
    provider = via_iam(emulator.url)
    provider.send([push(desired("before"), starts_at=emulator.now())])
    emulator.advance(2 * HOUR)
    provider.send([push(desired("after"), starts_at=emulator.now())])
    assert len(emulator.alarms()) == 2
    statuses = [(one["path"].rsplit("/", 1)[-1], one["status"]) for one in emulator.requests()]
    assert statuses == [("tokens", 201), ("events", 204), ("events", 401), ("tokens", 201), ("events", 204)]


def test_a_service_that_takes_no_token_is_not_asked_for_ever() -> None:
    tokens = iter(f"token-{n}" for n in range(100))

    def reply(asked: Asked) -> Reply:
        if asked.path == "/v3/auth/tokens":
            token = {"token": {"expires_at": "2999-01-01T00:00:00.000000Z"}}
            return Reply(201, token, {"X-Subject-Token": next(tokens)})
        return Reply(401, {"error_code": "AOM.0403", "error_msg": f"bad {asked.headers['X-Auth-Token']}"})

    with service(reply) as running:
        with pytest.raises(ServiceError) as caught:
            via_iam(running.url).send([push(desired())])
        assert [asked.headers["X-Auth-Token"] for asked in running.asked] == [None, "token-0", None, "token-1"]
    assert caught.value.kind is ErrorKind.DENIED
    assert caught.value.detail.message == "bad (sensitive)"


@pytest.mark.parametrize(
    ("expires_at", "fetched"),
    [
        ("2026-11-01T12:05:01.000000Z", 1),
        ("2026-11-01T12:04:59.000000Z", 3),
        ("2026-11-01T11:00:00.000000Z", 3),
        ("soon", 1),
        (None, 1),
    ],
)
def test_a_token_is_used_until_shortly_before_it_expires(expires_at: object, fetched: int) -> None:
    with service(lambda asked: Reply(201, {"token": {"expires_at": expires_at}}, {"X-Subject-Token": "t"})) as running:
        provider = via_iam(running.url, now=parse_instant("2026-11-01T12:00:00Z"))
        for _ in range(3):
            provider.send([push(desired())])
        assert sum(asked.path == "/v3/auth/tokens" for asked in running.asked) == fetched


def test_threads_share_one_token() -> None:
    with service(
        lambda asked: Reply(201, {"token": {"expires_at": "2999-01-01T00:00:00Z"}}, {"X-Subject-Token": "t"})
    ) as running:
        provider = via_iam(running.url)
        threads = [threading.Thread(target=provider.send, args=([push(desired())],)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(asked.path == "/v3/auth/tokens" for asked in running.asked) == 1
        assert len(running.asked) == 9


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(400, {"error": {"message": "bad scope", "code": 400}}), ErrorKind.DENIED),
        (Reply(401, {"error": {"message": "wrong", "code": 401}}), ErrorKind.DENIED),
        (Reply(404, b"nothing here"), ErrorKind.DENIED),
        (Reply(500, b""), ErrorKind.UNSENT),
        (Reply(cut=True), ErrorKind.UNSENT),
        (Reply(429, b"", {"Retry-After": "3"}), ErrorKind.BUSY),
        (Reply(503, b""), ErrorKind.BUSY),
        (Reply(201, {"token": {}}), ErrorKind.DENIED),
    ],
)
def test_without_a_token_nothing_is_sent(reply: Reply, kind: ErrorKind) -> None:
    with service(lambda asked: reply) as running:
        with pytest.raises(ServiceError) as caught:
            via_iam(running.url).send([push(desired())])
        assert {asked.path for asked in running.asked} == {"/v3/auth/tokens"}
    assert caught.value.kind is kind
    assert "IAM" in caught.value.detail.message
    assert caught.value.retry_after == (3_000 if reply.status == 429 else None)


KEYS = Settings(keys={"AKIDEXAMPLE": "s3cret-key"}, check_signature_time=True)


@pytest.mark.parametrize("emulator", [KEYS], indirect=True)
def test_a_signature_is_accepted_for_every_request(emulator) -> None:
    provider = opened(emulator.url, auth={"ak": "AKIDEXAMPLE", "sk": "s3cret-key"})
    provider.send([push(desired(annotations={"message": "磁盘 100 %"}), starts_at=emulator.now())])
    [found] = provider.observe(STACK, [])
    assert found.marks.address == desired().address


@pytest.mark.parametrize("emulator", [KEYS], indirect=True)
def test_a_wrong_key_is_denied(emulator) -> None:
    with pytest.raises(ServiceError) as caught:
        opened(emulator.url, auth={"ak": "AKIDEXAMPLE", "sk": "wr0ng"}).send([push(desired())])
    assert caught.value.kind is ErrorKind.DENIED


def test_a_signature_without_the_vendors_signer_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("huaweicloudsdkcore"):
            raise ImportError(name)
        return really(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DiagnosticError) as caught:
        opened("https://aom.invalid", auth={"ak": "a", "sk": "b"})
    [diagnostic] = caught.value.diagnostics
    assert "is not installed" in diagnostic.summary
    assert diagnostic.hint == "install the extra: pip install 'alarm-reconciler[huaweicloud]'"
