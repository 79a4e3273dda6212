"""A platform in memory and its connectors, for tests of whole journeys without a network.

It keeps the whole contract, every verb can be made to fail before or after its act, and it passes
`connectors.conformance` like the real ones.
"""

from connectors.fake.connector import FakeConnector, ProbingConnector, StreamingConnector, fake_plugin
from connectors.fake.world import FakeAnswer, FakeWorld

__all__ = ["FakeAnswer", "FakeConnector", "FakeWorld", "ProbingConnector", "StreamingConnector", "fake_plugin"]
