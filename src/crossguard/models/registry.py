"""The backbones by name. To add one: a file of the same shape, and a line here."""

from __future__ import annotations

from .backbone import Backbone
from .clip import ClipBackbone
from .compact import CompactBackbone
from .siglip import SiglipBackbone

BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone for backbone in (ClipBackbone(), SiglipBackbone(), CompactBackbone())
}
