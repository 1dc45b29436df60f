"""Many files into a folder of parts: planned once, scored by workers, continued after any interruption."""
