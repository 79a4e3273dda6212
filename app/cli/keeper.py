"""The keeper of the embedded PostgreSQL: a process of its own, so that PostgreSQL goes with `up` whatever ends `up`."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from app import bootstrap
from app.kernel import marks
from app.kernel.embedded import start_embedded
from app.kernel.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path

_LOOK_SECONDS = 2.0


def keep_database() -> None:
    """Run the embedded PostgreSQL until the parent ends; its URL goes to standard output."""
    settings = bootstrap.read_settings()
    bootstrap.check_data_dir(settings.data_dir)
    bootstrap.forget_dead_users(settings.data_dir)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    url = start_embedded(settings.data_dir.resolve())
    sys.stdout.write(marks.plain(url) + "\n")
    sys.stdout.flush()
    pid_file = settings.data_dir / "postgres" / "postmaster.pid"
    while _runs(pid_file):
        time.sleep(_LOOK_SECONDS)
    raise SetupError("setup.postgres", f"PostgreSQL has ended; its log is {settings.data_dir / 'postgres' / 'log'}.")


def _runs(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text(encoding="ascii").split("\n", 1)[0]), 0)
    except PermissionError:
        return True  # it runs, as another system user
    except (OSError, ValueError):
        return False
    return True
