"""`crossguard recipes`: list the recipes in the package, or print one in full."""

from __future__ import annotations

import click

from crossguard.cli.options import refuse_idle
from crossguard.errors import needs_extra


@click.command("recipes")
@click.argument("recipe", required=False)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting of the recipe.")
@click.option("--settings", "show_settings", is_flag=True, help="List every setting: default, bounds, meaning.")
def command(recipe: str | None, overrides: tuple[str, ...], *, show_settings: bool) -> None:
    """List the recipes in the package, or print RECIPE with all that it inherits and every default.

    \b
    crossguard recipes
    crossguard recipes --settings
    crossguard recipes clip-fusion > my-recipe.yaml
    """
    if recipe is None:
        refuse_idle(("overrides",), "without RECIPE")
    else:
        refuse_idle(("show_settings",), "beside RECIPE: it lists what every recipe may set")
    if recipe is None and not show_settings:
        _list()
        return
    with needs_extra("Training by recipes", "train"):
        from crossguard.checked_settings import settings
        from crossguard.training.recipe import Recipe
        from crossguard.training.recipes import load, to_yaml
    if recipe is not None:
        click.echo(to_yaml(load(recipe, overrides)), nl=False)
        return
    for one in settings(Recipe):
        allowed = f"; {one.allowed}" if one.allowed else ""
        click.echo(f"{one.name} (default {one.default or 'empty'}{allowed})\n    {one.meaning}")


def _list() -> None:
    """Prints the names and descriptions of recipes, also where nothing is installed to train by them."""
    from crossguard.training.recipe_files import inherited, shipped

    names = shipped()
    width = max(map(len, names))
    for name in names:
        click.echo(f"{name:<{width}}  {inherited(name)['description']}")
