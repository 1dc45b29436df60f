"""Every backbone is known by its own name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

from crossguard import models
from crossguard.models.backbone import Backbone
from crossguard.models.registry import BACKBONES


def test_every_backbone_of_the_package_is_registered() -> None:
    modules = [
        importlib.import_module(f"crossguard.models.{entry.name}") for entry in pkgutil.iter_modules(models.__path__)
    ]
    made = {kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)}
    concrete = {kind for kind in made if issubclass(kind, Backbone) and not inspect.isabstract(kind)}
    assert {type(backbone) for backbone in BACKBONES.values()} == concrete


def test_each_is_found_by_its_name() -> None:
    assert all(name == backbone.name for name, backbone in BACKBONES.items())
