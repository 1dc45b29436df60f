"""The HTML report: one file, readable offline, without scripts."""
