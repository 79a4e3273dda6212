"""The trail of acts."""
