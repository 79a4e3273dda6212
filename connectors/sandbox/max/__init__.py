"""A stand-in of the Bot API of MAX."""
