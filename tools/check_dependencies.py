"""Are the locked dependencies whole, and is any of them known to be weak? Part of `make check`.

The lock is always checked, without a network: every requirement pinned with hashes, everything that the project asks for in
it, no address of an index. Known weaknesses are asked of pip-audit's sources; when none can be reached, this says so clearly.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {"requirements.lock": (), "requirements-dev.lock": ("dev",)}
AUDIT_SECONDS = 120
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_UNREACHED = re.compile(
    "ConnectionError|Max retries|NameResolution|timed out|Temporary failure|ConnectTimeout|ProxyError|ServiceError|40[34] "
)


def faults_of_lock(text: str, wanted: list[str]) -> list[str]:
    """What is wrong with a lock file for these requirements."""
    pinned, faults = _pinned(text)
    if "://" in re.sub(r"#.*", "", text):
        faults.append("an address stands in it")
    for one in map(Requirement, wanted):
        version = pinned.get(canonicalize_name(one.name))
        if one.marker is not None and not one.marker.evaluate():
            continue
        if version is None:
            faults.append(f"missing: {one.name}; lock anew")
        elif not one.specifier.contains(Version(version), prereleases=True):
            faults.append(f"{one.name} is locked at {version}, the project asks for {one.specifier}; lock anew")
    return faults


def _pinned(text: str) -> tuple[dict[str, str], list[str]]:
    """The versions by name, and the lines that are not pinned with hashes."""
    pinned: dict[str, str] = {}
    faults: list[str] = []
    for block in re.split(r"\n(?=\S)", text):
        line = block.lstrip()
        if not line or line.startswith("#"):
            continue
        found = _PINNED.match(line)
        if line.startswith("-"):
            faults.append(f"an option stands in it: {line.splitlines()[0]}")
        elif found is None:
            faults.append(f"not pinned: {line.splitlines()[0]}")
        elif "--hash=sha256:" not in block:
            faults.append(f"without a hash: {found[1]}")
        else:
            pinned[canonicalize_name(found[1])] = found[2]
    return pinned, faults


def wanted_by_project(extras: tuple[str, ...]) -> list[str]:
    """The requirements of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]


def audit(lock: Path) -> tuple[str, bool]:
    """What pip-audit says, and whether it is a weakness."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        str(lock),
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner",
        "off",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=AUDIT_SECONDS, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        return "ADVISORIES WERE NOT CHECKED: no answer of an advisory source in time.", False
    if done.returncode == 0:
        return "No known weakness.", False
    if "Found " in done.stderr + done.stdout and "known vulnerab" in done.stderr + done.stdout:
        return done.stdout.strip(), True
    reason = "no advisory source can be reached" if _UNREACHED.search(done.stderr) else "pip-audit failed"
    return f"ADVISORIES WERE NOT CHECKED: {reason}.", False


def main() -> int:
    """Check all; 1 when something is wrong."""
    wrong = False
    for name, extras in LOCKS.items():
        faults = faults_of_lock((ROOT / name).read_text(encoding="utf-8"), wanted_by_project(extras))
        wrong |= bool(faults)
        print(f"{name}: {'; '.join(faults) or 'every requirement is pinned with hashes and is what the project asks for'}")
    told, weak = audit(ROOT / "requirements.lock")
    print(told)
    return int(wrong or weak)


if __name__ == "__main__":
    sys.exit(main())
