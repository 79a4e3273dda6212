"""What a comment is about, whether it must be answered, and who answers it."""
