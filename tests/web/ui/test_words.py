"""Every error that a person can meet has a sentence in both languages; static files are served packed and kept."""

from __future__ import annotations

import ast
import gzip
import re
from pathlib import Path
from typing import TYPE_CHECKING

from app.web.ui import faults
from app.web.ui.render import Renderer
from connectors.vk.errors import BY_WORDS, MEANINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.ui.conftest import Browser

APP = Path(__file__).resolve().parents[3] / "app"
ERRORS = {
    "OtklikError",
    "NotFoundError",
    "ForbiddenError",
    "InvalidError",
    "ConflictError",
    "UnsupportedError",
    "SignInNeededError",
    "TrailFullError",
    "UnavailableError",
}
NO_SCREEN = {"exchange", "cli"}
"""Only the command line raises these, and it speaks English."""


def codes() -> Iterator[tuple[str, str]]:
    """(code, file) of every error and problem in the program's source."""
    for path in sorted(APP.rglob("*.py")):
        if NO_SCREEN & set(path.relative_to(APP).parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            given = [keyword.value for keyword in node.keywords if keyword.arg == "code" and name == "Problem"]
            given += node.args[:1] if name in ERRORS or name == "_bad" else []
            for value in given:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value, path.name


def test_every_code_of_the_program_has_its_sentence() -> None:
    found = dict(codes())
    assert len(found) > 50
    assert {"appeal.version", "password.short", "unavailable"} <= set(found)
    assert set(found) - set(faults.FAULT) == set()


def test_no_sentence_is_for_nothing() -> None:
    by_number = {f"http.{status}" for status in (404, 405, 413)}
    assert set(faults.FAULT) - set(dict(codes())) <= by_number


def test_sentences_are_whole_in_both_languages() -> None:
    renderer = Renderer()
    params: dict[str, str | int] = {"length": 5, "limit": 4, "least": 10, "most": 200, "names": "page.read", "number": 1}
    for code in faults.FAULT:
        russian, english = (renderer.words(language)("fault", code, params, otherwise="?") for language in ("ru", "en"))
        assert re.search("[а-я]", russian), code
        assert not re.search("[а-я]", english), code
        assert russian.endswith((".", "!")), code
        assert english.endswith((".", "!")), code
        assert "%(" not in russian + english, code


async def test_static_files_are_packed_and_kept(stranger: Browser) -> None:
    page = (await stranger.get("/sign-in")).text
    sheet = next(path for path in re.findall(r'<link rel="stylesheet" href="([^"]+)"', page) if "tabler" in path)
    packed = await stranger.http.get(sheet)
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert packed.headers["content-type"].startswith("text/css")
    assert packed.headers["x-content-type-options"] == "nosniff"
    assert int(packed.headers["content-length"]) < 150_000 < len(packed.content)
    plain = await stranger.http.get(sheet, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == packed.content
    assert gzip.compress(b"") != plain.content
    same = await stranger.http.get(sheet, headers={"If-None-Match": packed.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    other = await stranger.http.get(sheet.split("?")[0] + "?v=old")
    assert other.headers["cache-control"] == "public, no-cache"
    font = re.findall(r'<link rel="preload" href="([^"]+)"', page)[0]
    assert "?" not in font  # as style sheets name it
    assert (await stranger.http.get(font)).headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_static_files_are_only_those(stranger: Browser) -> None:
    for path in (
        "/static/../render.py",
        "/static/%2e%2e/render.py",
        "/static/",
        "/static/vendor",
        "/static//etc/passwd",
        "/static/base.css%00",
    ):
        assert (await stranger.http.get(path)).status_code == 404, path
    assert (await stranger.http.post("/static/base.css")).status_code == 405
    assert (await stranger.http.get("/favicon.ico")).headers["location"].startswith("/static/icon.svg?v=")


async def test_an_unknown_address_is_a_page_with_a_way_back(stranger: Browser, operator: Browser) -> None:
    for browser in (stranger, operator):
        page = await browser.get("/nothing/here?x=<script>", headers={"Accept-Language": "ru"})
        assert page.status_code == 404
        assert "По этому адресу ничего нет." in page.text
        assert "<script>" not in page.text
    part = await operator.get("/nothing", part=True)
    assert part.json()["detail"] == "По этому адресу ничего нет."
    method = await operator.http.put("/queue")
    assert method.status_code == 405
    assert "Этим адресом так не пользуются." in method.text


def test_whatever_vk_refuses_with_says_what_to_do() -> None:
    """Also what stands between us and it."""
    codes = {meaning.code for meaning in (*MEANINGS.values(), *BY_WORDS.values())} | {"malformed", "http_status", "redirect", "too_large"}
    codes |= {"network", "unknown_error"}
    assert codes - {"listening_off"} - set(faults.REPLY_PROBLEM) == set()  # the first is said of listening alone
    of_answers = {"links_forbidden", "too_long", "listening_off"}
    assert codes - of_answers - set(faults.FEED_PROBLEM) == set()
