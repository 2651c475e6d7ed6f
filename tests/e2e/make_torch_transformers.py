"""Exports transformers by both exporters of PyTorch: ``python tests/e2e/make_torch_transformers.py FOLDER``.

Run it where torch and onnxscript are installed. Weights are random with a fixed seed; each model is
``NAME-EXPORTER-OPSET.onnx``, and a list of those that an exporter cannot write goes to ``failed.txt``.

``encoder``   nn.TransformerEncoder of two layers, GELU, normalization first, batch first; a causal mask.
``vision``    patches by a convolution, a token for the class, LayerNorm, scaled_dot_product_attention and GELU.
``causal``    scaled_dot_product_attention with is_causal, a root mean square and SiLU, as language models have it.
``padded``    scaled_dot_product_attention with a mask of truth values that is an input.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from typing import Any, Final

WIDTH, HEADS, TOKENS = 32, 4, 12
OPSETS: Final = {"legacy": (17, 20), "dynamo": (18, 20, 23)}


def _modules() -> dict[str, tuple[Any, tuple[Any, ...]]]:  # noqa: C901 - classes need torch, which is not there
    """Each model with its example inputs."""
    torch: Any = importlib.import_module("torch")
    nn, functional = torch.nn, torch.nn.functional

    class RootMeanSquare(nn.Module):  # type: ignore[misc, name-defined]
        """As language models write it; the legacy exporter has no nn.RMSNorm."""

        def __init__(self, width: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(width) + 0.5)

        def forward(self, x: Any) -> Any:
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight

    class Attention(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, causal: bool = False) -> None:
            super().__init__()
            self.qkv, self.out, self.causal = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH), causal

        def forward(self, x: Any, mask: Any = None) -> Any:
            count = x.shape[1]
            parts = self.qkv(x).reshape(1, count, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(
                parts[0], parts[1], parts[2], attn_mask=mask, is_causal=self.causal
            )
            return self.out(mixed.transpose(1, 2).reshape(1, count, WIDTH))

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, norm: Any, activation: Any, causal: bool = False) -> None:
            super().__init__()
            self.first, self.second, self.mix = norm(WIDTH), norm(WIDTH), Attention(causal)
            self.up, self.down, self.activation = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH), activation

        def forward(self, x: Any, mask: Any = None) -> Any:
            x = x + self.mix(self.first(x), mask)
            return x + self.down(self.activation(self.up(self.second(x))))

    class Vision(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, WIDTH, 4, stride=4)
            self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
            self.places = nn.Parameter(torch.randn(1, 17, WIDTH) * 0.2)
            self.blocks = nn.Sequential(*(Block(nn.LayerNorm, nn.GELU()) for _ in range(2)))
            self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

        def forward(self, x: Any) -> Any:
            tokens = self.patches(x).flatten(2).transpose(1, 2)
            tokens = torch.cat([self.token.expand(tokens.shape[0], -1, -1), tokens], dim=1) + self.places
            return self.head(self.norm(self.blocks(tokens))[:, 0])

    class Encoder(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            layer = nn.TransformerEncoderLayer(
                WIDTH, HEADS, 2 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(WIDTH, 8)
            self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(TOKENS))

        def forward(self, x: Any) -> Any:
            # Without being told, it looks whether the mask is causal, which torch.export cannot follow.
            return self.head(self.layers(x, mask=self.mask, is_causal=True))

    class Causal(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.Sequential(*(Block(RootMeanSquare, nn.SiLU(), causal=True) for _ in range(2)))
            self.head = nn.Linear(WIDTH, 8)

        def forward(self, x: Any) -> Any:
            return self.head(self.blocks(x))

    class Padded(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.block, self.head = Block(nn.LayerNorm, nn.GELU()), nn.Linear(WIDTH, 8)

        def forward(self, x: Any, seen: Any) -> Any:
            return self.head(self.block(x, seen))

    torch.manual_seed(5)
    torch.backends.mha.set_fastpath_enabled(False)  # which is an operator of its own that no exporter knows
    tokens = torch.randn(1, TOKENS, WIDTH)
    seen = torch.ones(1, 1, 1, TOKENS, dtype=torch.bool)
    return {
        "causal": (Causal(), (tokens,)),
        "encoder": (Encoder(), (tokens,)),
        "padded": (Padded(), (tokens, seen)),
        "vision": (Vision(), (torch.randn(1, 3, 16, 16),)),
    }


def main(folder: Path) -> None:
    """Write every model."""
    torch: Any = importlib.import_module("torch")
    failed = []
    for name, (module, inputs) in _modules().items():
        module.eval()
        for exporter, opsets in OPSETS.items():
            for opset in opsets:
                target = folder / f"{name}-{exporter}-{opset}.onnx"
                options = {"input_names": ["x", "seen"][: len(inputs)], "output_names": ["y"], "opset_version": opset}
                if exporter == "dynamo":
                    options |= {"dynamo": True, "external_data": False}
                else:
                    options |= {"dynamo": False}
                try:
                    with torch.no_grad():
                        torch.onnx.export(module, inputs, str(target), **options)
                except Exception as error:  # noqa: BLE001 - whatever an exporter raises
                    failed.append(
                        f"{target.name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
                    )
    (folder / "failed.txt").write_text("\n".join(failed), encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
