"""`python -m connectors.sandbox`."""

from connectors.sandbox.cli import commands

if __name__ == "__main__":
    commands(prog_name="python -m connectors.sandbox")
