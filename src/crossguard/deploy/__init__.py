"""Puts bundles onto machines of others; one package per cloud."""
