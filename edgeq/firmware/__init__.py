"""From generated C to images that run: compiling, linking, image formats, sizes, stack bound, checks."""

from __future__ import annotations

from edgeq.firmware.facts import ImageFacts, Span
from edgeq.firmware.fit import check_fit
from edgeq.firmware.images import Images, build_images
from edgeq.firmware.objects import include_flags, model_flags
from edgeq.firmware.sizes import Sizes
from edgeq.firmware.toolchain import Toolchain, find_toolchain

__all__ = [
    "ImageFacts",
    "Images",
    "Sizes",
    "Span",
    "Toolchain",
    "build_images",
    "check_fit",
    "find_toolchain",
    "include_flags",
    "model_flags",
]
