"""The review console: people look at posts, decide, are checked, and the model learns from their votes."""
