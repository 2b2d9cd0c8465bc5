"""Recipes that make data sets of this package's format from what their authors publish.

One file each; :func:`find_recipe` finds them by name. Nothing is downloaded: users get the sets from their
publishers, under their licences.
"""

from monai_ext.data.recipes.busi_udiat import BUSI_UDIAT
from monai_ext.data.recipes.covid_qu_ex import COVID_QU_EX
from monai_ext.data.recipes.figshare_brain import FIGSHARE_BRAIN
from monai_ext.data.recipes.konya_ct import KONYA_CT
from monai_ext.data.recipes.preparation import Prepared, prepare
from monai_ext.data.recipes.recipe import Case, Recipe
from monai_ext.errors import InputError

RECIPES = {recipe.name: recipe for recipe in (BUSI_UDIAT, FIGSHARE_BRAIN, COVID_QU_EX, KONYA_CT)}

__all__ = ["RECIPES", "Case", "Prepared", "Recipe", "find_recipe", "prepare"]


def find_recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        InputError: when there is none.
    """
    if name not in RECIPES:
        raise InputError(f"no recipe {name!r}; choose from {', '.join(RECIPES)}.")
    return RECIPES[name]
