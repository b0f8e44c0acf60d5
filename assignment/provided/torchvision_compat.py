"""The one place where torchvision is imported.

Some machines pair a CPU build of torch with a torchvision compiled for CUDA. There, `import torchvision`
fails with "operator torchvision::nms does not exist": the compiled extension did not load, so the operators
that torchvision registers shapes for were never declared. Declaring their schemas first lets the pure-Python
parts (datasets, transforms, models), which are all this course uses, import as usual.
"""

import importlib
import sys
from types import ModuleType

import torch

# The operators that torchvision's __init__ refers to, as torchvision 0.28 declares them in C++.
_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_libraries = []  # a torch.library.Library withdraws its definitions when it is garbage-collected


def import_torchvision() -> ModuleType:
    """Return the module `torchvision`, declaring the missing operators only when the plain import fails.

    Raises ImportError when torchvision is not installed, and RuntimeError when it cannot be imported for
    another reason than the missing operators.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    _forget_half_import()
    _declare_operators()
    return importlib.import_module("torchvision")


def _forget_half_import() -> None:
    """Drop the submodules that the failed import left behind, so that the second one starts afresh."""
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]


def _declare_operators() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _libraries.append(library)
