"""The HTTP service: any bundle behind the interfaces that people already call. Needs `crossguard[serve]`.

A request walks: `protocol` (socket limits) → `app` (request id, headers, log, metrics) → `call` (key, rate,
body, deadline) → one file of `interfaces/` → `service` (fetching, admission) → `crossguard.engine` (many requests, one
batch) → back through the interface.
"""
