"""The networks, in PyTorch: a backbone (text and image encoder) and a head that fuses them.

| file | holds |
|---|---|
| `config.py` | what rebuilds a model: backbone, head, sizes |
| `backbone.py` | what every backbone must offer |
| `two_towers.py`, `compact.py` | the backbones: CLIP and SigLIP, and that of the bundled model |
| `efficientnet_lite.py` | the image encoder of `compact` |
| `gated.py` | projections and gates that both heads share |
| `fusion.py`, `multitask.py` | the two heads of the model cards |
| `pixels.py` | uint8 pixels to normalised ones |
| `losses.py` | losses that know unknown labels |
| `building.py` | from a configuration to a model |
| `loading.py` | from folders to models, and back |

The files import each other by relative imports only and need nothing but torch and transformers, because the Hugging
Face export ships copies of them.
"""
