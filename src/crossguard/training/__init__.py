"""From a recipe and tables to a trained model.

`recipe.py` says what may be set; `trainer.py` reads as the story of a run; every other file is one step of it.
"""
