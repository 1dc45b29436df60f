"""Unintended bias in the open: figures per identity group, counterfactual swaps, functional suites."""
