"""Our answers and the outbox."""
