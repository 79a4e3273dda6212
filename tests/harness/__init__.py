"""A running Otklik for tests: real processes, a database of their own, the sandbox as the platforms."""

from tests.harness.ledger import FATES, Ledger, differences, read_ledger
from tests.harness.program import Program, free_port, lives
from tests.harness.system import System, running_system, seeded_database

__all__ = [
    "FATES",
    "Ledger",
    "Program",
    "System",
    "differences",
    "free_port",
    "lives",
    "read_ledger",
    "running_system",
    "seeded_database",
]
