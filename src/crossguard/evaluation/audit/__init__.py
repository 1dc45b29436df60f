"""Unintended bias in the open: estimates per identity group, counterfactual swaps, functional suites."""
