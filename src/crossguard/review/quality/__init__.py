"""How well people and the model do: agreement, live precision and recall, workload. Each estimate has its interval."""
