"""A stand-in of Telegram's Bot API: channels with discussion groups, updates, sending, limits."""
