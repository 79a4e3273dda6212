"""What platforms tell: pages, posts, authors, comments with their revisions."""
