"""The journeys: inbound, outbound, deadlines, polling."""
