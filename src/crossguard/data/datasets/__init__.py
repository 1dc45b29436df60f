"""Public datasets: raw folder, as its authors publish it, to one table. One file each; `registry.py` lists them."""
