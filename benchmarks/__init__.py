"""How fast Crossguard is, measured beside what people use today; see benchmarks/README.md."""
