"""A stand-in of the REST API of Viber for bots."""
