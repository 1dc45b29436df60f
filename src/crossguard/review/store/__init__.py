"""What the console remembers: one schema for SQLite and PostgreSQL, and one module of functions per noun."""
