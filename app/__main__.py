"""`otklik`, or `python -m app`."""

from __future__ import annotations

from app.cli.program import main

if __name__ == "__main__":
    main()
