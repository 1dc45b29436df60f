"""Wire formats that more than one surface speaks; each is read and written in one file."""
