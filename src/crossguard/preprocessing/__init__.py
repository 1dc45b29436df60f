"""From a post to a `Batch`: one implementation for training, evaluation and serving."""
