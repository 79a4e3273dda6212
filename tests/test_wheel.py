"""The wheel is the whole program: built, put into a clean environment, started there, asked, stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness import free_port, lives

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 120.0

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution as `pip` builds it, without the network where hatchling is installed already."""
    folder = tmp_path_factory.mktemp("wheel")
    isolation = ["--no-build-isolation"] if find_spec("hatchling") else []
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *isolation, "--wheel-dir", folder, ROOT)
    (found,) = folder.glob("otklik-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel; the locked dependencies are lent by the one that runs the tests."""
    home = tmp_path_factory.mktemp("clean")
    venv.create(home, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = home / "lib" / version / "site-packages"
    python = home / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "lent.pth").write_text("\n".join(sorted(lent)) + "\n", encoding="utf-8")
    return home


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """What a command says; a failure shows all of it."""
    ended = subprocess.run(list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Ours, without what would lead back to the checkout."""
    given = os.environ.items()  # noqa: TID251 - handed on to the program under test
    kept = {name: value for name, value in given if not name.startswith(("OTKLIK_", "PYTHON"))}
    return {**kept, "OTKLIK_DATA_DIR": str(folder / "var"), **settings}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: the socket's name must fit, and PostgreSQL's own user must reach it."""
    with tempfile.TemporaryDirectory(prefix="otklik-wheel-", dir="/tmp", ignore_cleanup_errors=True) as made:
        yield Path(made)


def test_nothing_is_left_out_of_the_wheel(wheel: Path) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for top in ("app", "connectors", "migrations")
        for path in (ROOT / top).rglob("*")
        if path.is_file()
    }
    expected = {re.sub(r"^migrations/", "app/_migrations/", name) for name in files if not name.endswith(".pyc")}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert expected - names == set()
    assert not [name for name in names if name.startswith(("tests/", "bench/", "tools/", "var/"))]
    assert [name for name in names if name.endswith(("templates/layout.html", "otklik.po", "vendor.json", "world.json", "env.py"))]


def test_it_starts_answers_and_stops(installed: Path, folder: Path) -> None:
    web, sandbox = free_port(), free_port()
    settings = environment(folder, OTKLIK_PORT=str(web), OTKLIK_SANDBOX_PORT=str(sandbox))
    decoy = folder / "app"
    decoy.mkdir()  # a folder of this name in the current directory must not be taken for the program
    (decoy / "__init__.py").write_text("raise RuntimeError('this is not otklik')\n", encoding="utf-8")
    with (folder / "out.txt").open("w", encoding="utf-8") as out:
        process = subprocess.Popen(  # noqa: S603 - the program under test
            [str(installed / "bin" / "otklik"), "up", "--sample"], cwd=folder, env=settings, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        wait_until_welcomed(process, folder / "out.txt")
        assert fetch(f"http://127.0.0.1:{web}/health/ready")[0] == 200
        page = fetch(f"http://127.0.0.1:{web}/sign-in")[1]
        assert "password" in page
        style = re.search(r'href="(/static/[^"]+\.css[^"]*)"', page)
        assert style is not None
        assert fetch(f"http://127.0.0.1:{web}{style[1]}")[0] == 200
        assert fetch(f"http://127.0.0.1:{sandbox}/")[0] == 200
        people = json.loads((folder / "var" / "sign-ins.json").read_text(encoding="utf-8"))
        assert {one["role"] for one in people} == {"operator", "coordinator", "supervisor", "administrator"}
        where = run(installed / "bin" / "python", "-P", "-c", "import app; print(app.__file__)", cwd=folder, env=settings)
        assert where.startswith(str(installed))
        postmaster = int((folder / "var" / "postgres" / "postmaster.pid").read_text(encoding="ascii").split("\n")[0])
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, (folder / "out.txt").read_text(encoding="utf-8")
        assert gone_within(10.0, postmaster), "PostgreSQL goes, too"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
            time.sleep(3)  # its children end with it


def gone_within(seconds: float, pid: int) -> bool:
    """Whether a process ends: PostgreSQL gives its lock file back a moment before it does."""
    until = time.monotonic() + seconds
    while lives(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not lives(pid)


def wait_until_welcomed(process: subprocess.Popen[bytes], out: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while "Ctrl+C stops everything" not in (said := out.read_text(encoding="utf-8")):
        assert process.poll() is None, said
        assert time.monotonic() < until, said
        time.sleep(0.2)


def fetch(url: str) -> tuple[int, str]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=20) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")
