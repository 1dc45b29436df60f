"""`python -m crossguard` is the same as `crossguard`."""

from crossguard.cli import main

main()
