"""Copies the front-end files that we serve out of their npm packages, and writes down what they are.

Run from the top of the repository: `python tools/vendor_front_end.py`. It needs npm, whose own configuration says where
packages come from. Each package is pinned by version and by npm's integrity hash, so that a second run writes the same
bytes; `vendor.json` carries name, version, licence and the SHA-256 of every file, and a test compares them.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

STATIC = Path("app/web/ui/static/vendor")
FOR_TESTS = Path("tests/browser/vendor")

# Only these icons are in the sprite; a test compares the list with the templates, in both directions.
ICONS = [
    "alert-triangle",
    "arrow-back-up",
    "arrow-left",
    "ban",
    "bell",
    "brand-ok-ru",
    "brand-telegram",
    "brand-vk",
    "building-community",
    "chart-bar",
    "check",
    "chevron-down",
    "circle-check",
    "clock",
    "corner-down-right",
    "device-desktop",
    "external-link",
    "file",
    "filter",
    "hand-grab",
    "help",
    "history",
    "hourglass",
    "inbox",
    "keyboard",
    "logout",
    "message",
    "message-reply",
    "microphone",
    "moon",
    "music",
    "note",
    "paperclip",
    "pencil",
    "photo",
    "plus",
    "refresh",
    "route",
    "search",
    "send",
    "settings",
    "sticker",
    "sun",
    "tag",
    "trash",
    "user",
    "user-check",
    "video",
    "wifi",
    "wifi-off",
    "world",
    "x",
]


@dataclass(frozen=True, kw_only=True)
class Package:
    """One npm package: what of it is served, under which licence."""

    name: str
    version: str
    licence: str
    integrity: str  # of the package file, as npm states it
    files: tuple[str, ...]
    to: Path = STATIC
    sprite: bool = False

    @property
    def folder(self) -> str:
        """The folder's name: package and version, without the scope's punctuation."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}"


PACKAGES = (
    Package(
        name="htmx.org",
        version="4.0.1",
        licence="0BSD",
        integrity="sha512-oF7JgXhDW9UXCy/k1ZYFUQgzu/rm19ORWPSPNL91vPluB2PB9+MV55tyQdH/w7o2EAbTYUG5SDW1R60mdkdqGg==",
        files=("dist/htmx.min.js", "LICENSE"),
    ),
    Package(
        name="@tabler/core",
        version="1.6.1",
        licence="MIT",  # the notice stands in the file's banner, the package carries no other
        integrity="sha512-lgmR9gcxRp5JlLxcmRi9Rz85JrEvH6Bz71KnlcPVSa97wtwQNjgSs3g3fxwbAlulHyRMghhIV04QUuW3pqDsIg==",
        files=("dist/css/tabler.min.css",),
    ),
    Package(
        name="@tabler/icons",
        version="3.51.0",
        licence="MIT",
        integrity="sha512-0pinvPZz7YeX+OSfxuEAbnEPWbocVXW5iU8h5lh41pYG8sZuQfpWECC980lxOT0clGIcNGn8xsBr+zKaRGdA/g==",
        files=("LICENSE",),
        sprite=True,
    ),
    Package(
        name="@fontsource-variable/golos-text",
        version="5.3.0",
        licence="OFL-1.1",
        integrity="sha512-D+Evz5yqXYh6tsalc537FS+cPDWn2FTdO8j/K1ZZuFAvA7ib6WnusTiihciq7mMnm6GBo6XTlh0JXPrhBsam2g==",
        files=(
            "files/golos-text-cyrillic-wght-normal.woff2",
            "files/golos-text-latin-wght-normal.woff2",
            "LICENSE",
        ),
    ),
    Package(
        name="echarts",
        version="6.1.0",
        licence="Apache-2.0",
        integrity="sha512-q0yaFPggC9FUdsWH4blavRWFmxdrIodbkoKNAjJudAI6CA9gNPxHtV2RcZNEepZVlk4yvBYkOkbk6HIVpIyHZA==",
        files=("dist/echarts.common.min.js", "LICENSE", "NOTICE"),
    ),
    Package(
        name="axe-core",
        version="4.14.1",
        licence="MPL-2.0",
        integrity="sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        files=("axe.min.js", "LICENSE", "LICENSE-3RD-PARTY.txt"),
        to=FOR_TESTS,
    ),
)


class VendorError(Exception):
    """A package is not what is pinned here; the text says which and what to do."""


def fetch(package: Package, into: Path) -> Path:
    """The package unpacked in a folder. Raises VendorError when npm fails or the hash differs."""
    into.mkdir(parents=True)
    npm = shutil.which("npm")
    if npm is None:
        msg = "npm is not installed: install Node.js, it is needed only to renew vendored files"
        raise VendorError(msg)
    ran = subprocess.run(  # noqa: S603 - a fixed command with names from the table above
        [npm, "pack", "--silent", "--pack-destination", str(into), f"{package.name}@{package.version}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        msg = f"npm pack {package.name}@{package.version} failed: {ran.stderr.strip()[-400:]}"
        raise VendorError(msg)
    archive = next(into.glob("*.tgz"))
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != package.integrity:
        msg = f"{package.name}@{package.version}: the package has {found}, pinned is {package.integrity}"
        raise VendorError(msg)
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")
    return into / "package"


def sprite(icons: Path) -> bytes:
    """One SVG with a symbol per icon, in the order of the table. Raises VendorError when an icon is missing."""
    symbols = []
    for name in ICONS:
        source = icons / "icons" / "outline" / f"{name}.svg"
        if not source.is_file():
            msg = f"no icon called {name}"
            raise VendorError(msg)
        paths = re.findall(r"<path [^>]*/>", source.read_text())
        drawn = "".join(re.sub(r"\s*/>", "/>", path) for path in paths if 'stroke="none"' not in path)
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{drawn}</symbol>')
    body = "\n".join(symbols)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>\n'.encode()


def copy(package: Package, unpacked: Path, root: Path) -> dict[str, object]:
    """Write a package's files below `root`; returns its entry of the manifest. Source maps stay behind."""
    folder = root / package.to / package.folder
    folder.mkdir(parents=True)
    contents = {Path(name).name: (unpacked / name).read_bytes() for name in package.files}
    if package.sprite:
        contents["sprite.svg"] = sprite(unpacked)
    files = []
    for name, content in sorted(contents.items()):
        kept = re.sub(rb"\n?(//# |/\*# )sourceMappingURL=[^\n]*", b"", content)
        (folder / name).write_bytes(kept)
        digest = hashlib.sha256(kept).hexdigest()
        files.append({"path": f"{package.folder}/{name}", "bytes": len(kept), "sha256": digest})
    return {
        "name": package.name,
        "version": package.version,
        "licence": package.licence,
        "integrity": package.integrity,
        "files": files,
    }


def vendor(root: Path) -> None:
    """Replace both vendor folders below `root` with their manifests. Raises VendorError and changes nothing then."""
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = [(package, fetch(package, Path(scratch) / package.folder)) for package in PACKAGES]
        for target in (STATIC, FOR_TESTS):
            shutil.rmtree(root / target, ignore_errors=True)
            entries = [copy(package, files, root) for package, files in unpacked if package.to == target]
            manifest = json.dumps({"packages": entries}, indent=2, ensure_ascii=False)
            (root / target / "vendor.json").write_text(manifest + "\n")


def main() -> int:
    """Exit code 0 when everything was written, 1 when not."""
    parser = argparse.ArgumentParser(description="Renew the vendored front-end files from their npm packages.")
    parser.add_argument("--root", type=Path, default=Path(), help="top of the repository (default: here)")
    root: Path = parser.parse_args().root
    try:
        vendor(root)
    except VendorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
