"""Secrets are read from settings or files and are never told: not in output, not in logs, not in answers, not in errors."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from app import bootstrap
from app.kernel import marks
from app.kernel.errors import SetupError
from app.settings import SECRETS, Settings
from tests.conftest import ROOT
from tests.harness.program import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

MARK = "CANARY4711"
KEY = f"{MARK}-secret-key-of-at-least-32-characters"
AWAY = f"postgresql://otklik:{MARK}@127.0.0.1:9/otklik"


def environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTKLIK_")}  # noqa: TID251 - handed on
    return kept | {"PYTHONPATH": str(ROOT)} | {f"OTKLIK_{name.upper()}": value for name, value in settings.items()}


def otklik(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app", *arguments]
    return subprocess.run(command, env=environment(**settings), cwd=folder, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603


def with_password(url: URL) -> str:
    """The server asks for none, so any will do: it must not be told."""
    return marks.plain(url.set(password=MARK))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("arguments", [("migrate",), ("worker",), ("operators", "list")])
def test_a_database_that_is_away_is_told_without_its_password(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = otklik(tmp_path, *arguments, database_url=AWAY, secret_key=KEY, data_dir=str(tmp_path), log_level="DEBUG")
    assert done.returncode == 1
    assert "otklik:" in done.stderr
    assert MARK not in done.stdout + done.stderr


@pytest.mark.timeout(120)
def test_commands_and_the_web_process_tell_no_secret(tmp_path: Path, database_url: URL) -> None:
    files = {}
    for name, value in (("database_url", with_password(database_url)), ("secret_key", KEY), ("metrics_token", MARK)):
        path = tmp_path / name
        path.write_text(value + "\n", encoding="utf-8")
        files[f"{name}_file"] = str(path)
    settings = files | {"data_dir": str(tmp_path / "var"), "log_level": "DEBUG"}
    token = tmp_path / "token"
    token.write_text(f"{MARK}-of-the-platform", encoding="utf-8")
    said = ""
    for arguments in (
        ("credentials", "add", "--platform", "vk", "--kind", "service", "--token-file", str(token)),
        ("credentials", "list", "--json"),
        ("keys", "list", "--json"),
        ("keys", "rotate"),
        ("audit", "verify"),
    ):
        done = otklik(tmp_path, *arguments, **settings)
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    port = free_port()
    web = subprocess.Popen(
        [sys.executable, "-m", "app", "web"],
        env=environment(**settings, port=str(port)),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said += _answers(f"http://127.0.0.1:{port}")
    finally:
        web.terminate()
        said += web.communicate(timeout=30)[0]
    assert "health/ready" in said
    assert MARK not in said


def _answers(base: str) -> str:
    told = ""
    for _ in range(300):
        try:
            told += _answer(f"{base}/health/ready")
            break
        except OSError:
            time.sleep(0.1)
    for path in ("/metrics", "/api/v1/appeals", "/api/v1/openapi.json", "/nothing", "/sign-in", "/invitation/x"):
        told += _answer(base + path, Authorization="Bearer wrong")
    return told


def _answer(url: str, **headers: str) -> str:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own address
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return str(answer.headers) + str(answer.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        return str(error.headers) + error.read().decode("utf-8", "replace")


def test_settings_do_not_show_their_secrets() -> None:
    given = {name: AWAY for name in SECRETS if name.endswith("database_url")} | {"secret_key": KEY, "metrics_token": MARK}
    given |= {"smtp_url": f"smtp://me:{MARK}@mail.example", "mail_from": "otklik@town.example", "notice_telegram_token": MARK}
    settings = Settings.model_validate(given)
    assert MARK not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = tmp_path / "secret"
    secret = f"smtp://me:{MARK}@mail.example" if name == "smtp_url" else MARK
    path.write_text(f"  {secret}\n", encoding="utf-8")
    monkeypatch.setenv("OTKLIK_MAIL_FROM", "otklik@town.example")
    monkeypatch.setenv(f"OTKLIK_{name.upper()}_FILE", str(path))
    if name.startswith("oidc"):  # a provider is set whole or not at all
        monkeypatch.setenv("OTKLIK_OIDC_ISSUER", "https://sso.example")
        monkeypatch.setenv("OTKLIK_OIDC_CLIENT_ID", "otklik")
        monkeypatch.setenv("OTKLIK_PUBLIC_URL", "https://otklik.example")
    found = getattr(bootstrap.read_settings(), name)
    assert found.get_secret_value() == secret
    monkeypatch.setenv(f"OTKLIK_{name.upper()}", f"{MARK}-twice")
    with pytest.raises(SetupError, match="keep one of them") as both:
        bootstrap.read_settings()
    assert MARK not in str(both.value)


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), ("", "is empty"), (b"\xff\xfe", "cannot be read")])
def test_a_file_without_a_secret_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | bytes | None, said: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    monkeypatch.setenv("OTKLIK_SECRET_KEY_FILE", str(path))
    with pytest.raises(SetupError, match=f"OTKLIK_SECRET_KEY_FILE.*{said}"):
        bootstrap.read_settings()
