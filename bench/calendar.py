"""Deadlines per second against a naive day loop: `python bench/calendar.py --help`; the work is in deadlines.py."""

import importlib.util
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def step_aside() -> None:
    """Put the standard library's calendar in this file's place."""
    spec = importlib.util.spec_from_file_location("calendar", Path(os.__file__).parent / "calendar.py")
    if spec is None or spec.loader is None:
        raise ImportError("the standard library has no calendar.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["calendar"] = module
    spec.loader.exec_module(module)


if __name__ == "calendar":
    # A benchmark run as a file puts this directory first, and `import calendar` anywhere below finds this file.
    step_aside()
elif __name__ == "__main__":
    if sys.path and Path(sys.path[0]).resolve() == HERE:
        sys.path[0] = str(HERE.parent)
    from bench.deadlines import main

    main()
