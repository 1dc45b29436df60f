"""Evaluation: metrics with intervals, calibration, comparison, bias audits, reports and the model card."""
