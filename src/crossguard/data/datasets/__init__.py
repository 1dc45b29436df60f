"""Public datasets: raw folder, as its authors publish it, to one table; `registry.py` lists them."""
