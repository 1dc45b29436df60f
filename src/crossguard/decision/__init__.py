"""From logits to decisions: calibration, thresholds and bands, policies. Only numpy."""
