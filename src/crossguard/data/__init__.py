"""Posts in and decisions out: tables, images, the words in images, written results."""
