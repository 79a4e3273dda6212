"""Puts the stranger's package into the environment as an installer would: its code and its metadata on the path."""

from __future__ import annotations

import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent


def install(site: Path) -> None:
    """Into a folder that is (or will be) on `sys.path`: what its `pyproject.toml` says, and no word more.

    Not by pip: building a wheel takes seconds and a build back end that the locked environment does not have.
    """
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = project["name"].replace("-", "_")
    metadata = site / f"{name}-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8")
    groups = (
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items()) for group, points in project["entry-points"].items()
    )
    (metadata / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
    (site / name).symlink_to(HERE / name, target_is_directory=True)
