"""The tests that every connector passes: a platform's test class inherits them and supplies a `stage`.

    class TestAcme(ConnectorConformance):
        @pytest.fixture
        async def stage(self) -> AsyncIterator[Stage]: ...

The stage is the platform as the test can move it: a sandbox, a recorded server, a world in memory. Nothing here imports
pytest; run it with pytest-asyncio in auto mode, and let pytest rewrite the assertions by
`pytest.register_assert_rewrite("connectors.conformance")`. `Options.limits["batch"]` must bound the rows of one batch.
"""

from connectors.conformance.stage import ErrorCase, Fault, Stage, Verb
from connectors.conformance.suite import ConnectorConformance

__all__ = ["ConnectorConformance", "ErrorCase", "Fault", "Stage", "Verb"]
