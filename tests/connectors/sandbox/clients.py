"""The real clients, pointed at the sandbox as a connector would point them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from vk_api import VkApi

if TYPE_CHECKING:
    import httpx

SCALE = 20.0
BOT = "5001:sandbox-bot"


class _Rewrite(HTTPAdapter):
    """Sends what is meant for VK to another origin."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._origin = urlsplit(url)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        asked = urlsplit(request.url or "")
        request.url = urlunsplit((self._origin.scheme, self._origin.netloc, asked.path, asked.query, ""))
        return super().send(request, *args, **{**kwargs, "timeout": 5})


def make_vk(url: str, token: str) -> VkApi:
    """A real vk_api session whose pacing is scaled like the sandbox's limits."""
    session = requests.Session()
    session.trust_env = False
    session.mount("https://api.vk.ru/", _Rewrite(url))
    vk = VkApi(token=token, session=session, api_version="5.199")
    vk.RPS_DELAY = (0.05 if token == "town-token" else 0.34) / SCALE
    return vk


@dataclass
class Client:
    """The control interface; answers are checked to be successful unless `status` says otherwise."""

    http: httpx.Client

    def post(self, path: str, body: Any, status: int = 201) -> dict[str, Any]:
        """Send JSON."""
        return self._checked(self.http.post(path, json=body), status)

    def patch(self, path: str, body: Any, status: int = 200) -> dict[str, Any]:
        """Send JSON."""
        return self._checked(self.http.patch(path, json=body), status)

    def delete(self, path: str, status: int = 200) -> dict[str, Any]:
        """Delete."""
        return self._checked(self.http.delete(path), status)

    def get(self, path: str) -> dict[str, Any]:
        """Read JSON."""
        return self._checked(self.http.get(path), 200)

    def comment(self, text: str, **more: Any) -> dict[str, Any]:
        """Write under the latest post of the town's VK page."""
        return self.post("/world/comments", {"platform": "vk", "page": "town", "author": "Анна Садова", "text": text} | more)

    def _checked(self, response: httpx.Response, status: int) -> dict[str, Any]:
        assert response.status_code == status, response.text
        answer = response.json()
        assert isinstance(answer, dict)
        return answer
