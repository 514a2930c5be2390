"""Lets PyPI's torchvision be imported beside a CPU build of torch, whose operators its binary does not fit.

open_clip and transformers import torchvision to resize images only. Its import fails because the operators `nms` and
`qnms`, which its binary would define, are missing: declare them just before, in every process of this environment.
"""

import sys


class _DeclareOperators:
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            library = torch.library.Library("torchvision", "DEF")
            for operator in ("nms", "qnms"):
                library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            self.library = library
            sys.torchvision_operators = self


sys.meta_path.insert(0, _DeclareOperators())
