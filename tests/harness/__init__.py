"""A running Otklik for tests: real processes, a database of their own, the sandbox as the platforms."""

from tests.harness.colleague import Colleague, colleague_of
from tests.harness.desk import Desk
from tests.harness.ledger import FATES, Ledger, differences, read_ledger
from tests.harness.program import Program, free_port, lives
from tests.harness.system import System, running_system, seeded_database
from tests.harness.traffic import Traffic

__all__ = [
    "FATES",
    "Colleague",
    "Desk",
    "Ledger",
    "Program",
    "System",
    "Traffic",
    "colleague_of",
    "differences",
    "free_port",
    "lives",
    "read_ledger",
    "running_system",
    "seeded_database",
]
