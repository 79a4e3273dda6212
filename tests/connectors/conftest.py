"""What the connectors' tests share."""

import pytest

pytest.register_assert_rewrite("connectors.conformance", "tests.connectors.staging")
