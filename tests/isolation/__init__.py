"""Nobody gets in where they do not belong: every query and every route, asked by those who have no business there."""
