"""From generated C to images that run: compiling, linking, image formats, sizes, stack bound, checks.

Names are resolved on first use, because ``edgeq check`` needs no image and should not load readers of ELF files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.lazily import export

if TYPE_CHECKING:
    from edgeq.firmware.facts import Further, ImageFacts, Sizes, Span
    from edgeq.firmware.fit import check_fit
    from edgeq.firmware.images import Images, build_images
    from edgeq.firmware.objects import include_flags, model_flags
    from edgeq.firmware.toolchain import Toolchain, find_toolchain

__all__ = [
    "Further",
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

export(
    __name__,
    {
        "Further": "facts",
        "ImageFacts": "facts",
        "Images": "images",
        "Sizes": "facts",
        "Span": "facts",
        "Toolchain": "toolchain",
        "build_images": "images",
        "check_fit": "fit",
        "find_toolchain": "toolchain",
        "include_flags": "objects",
        "model_flags": "objects",
    },
)
