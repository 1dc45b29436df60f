"""Posts in and decisions out: tables, pictures, the words in pictures, written results."""
