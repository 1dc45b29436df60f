"""Calibration, thresholds and bands of a policy, fitted to annotated posts."""
