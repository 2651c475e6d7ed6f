"""A language model of 260 000 parameters tells a story on a microcontroller, beside the float model.

The step form reads one token at a time; its key and value caches are states. The reference continues from the token of
the beginning, always with the likeliest token. The same tokens are then given to the images, whose likeliest token
after each step must be the one that follows: so they would tell the same story.

Two tokens may be about equally likely. Behind the first of them that is taken otherwise both stories go on, each its
own way; so the float model's story is also given to the firmware, which says how many of its tokens it would have told.

    EDGEQ_DATA=DATA python benchmarks/stories.py [--tokens 100] [--board BOARD ...] [--scheme w8a16]
"""

from __future__ import annotations

import argparse
import os
import struct
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

import edgeq
from edgeq.folder import Compiled
from edgeq.interp import run
from edgeq.numerics.array import Array
from edgeq.onnxio import Session, read_model

BOARDS: Final = ("mps2-an386", "mps2-an500")
BEGIN: Final = 1  # the token in front of every story
CACHE: Final = 128  # tokens that the step form remembers
CALIBRATION_SEQUENCES: Final = 16


def main() -> None:
    """Print the stories, the share of equal tokens, instructions and memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--board", action="append", help="by default an M4 and an M7")
    parser.add_argument("--scheme", default="w8a16")
    given = parser.parse_args()
    data = Path(os.environ["EDGEQ_DATA"])
    pieces = vocabulary(data / "data" / "stories260k_tokenizer.bin")
    wanted = float_story(data, given.tokens)
    print(f"float: {text_of(pieces, wanted)}\n")
    with tempfile.TemporaryDirectory(prefix="edgeq-stories-") as folder:
        for board in given.board or BOARDS:
            compiled = compile_step(data, board, Path(folder) / board, given.scheme)
            story = integer_story(compiled, given.tokens)
            print(f"{board}: {text_of(pieces, story)}")
            equal = np.equal(story[1:], wanted[1:])
            print(f"  {equal.sum()} of {len(equal)} tokens equal; the first {common(equal)} in a row")
            agreed = np.equal(likeliest(compiled, wanted, "native"), wanted[1:])
            print(f"  behind the float model's tokens {agreed.sum()} of {len(agreed)} equal")
            for runner in ("native", "qemu"):
                print(f"  {runner} tells the same story: {likeliest(compiled, story, runner) == story[1:]}")
            profile = compiled.profile(data=sequence_of(story), samples=1)
            program = compiled.manifest.program
            print(f"  {profile.instructions} instructions a token, RAM {program.arena_bytes} bytes")


def vocabulary(path: Path) -> list[bytes]:
    """The bytes of each token.

    Args:
        path: int32 longest length, then per token float32 score, int32 length, bytes.
    """
    content, at, pieces = path.read_bytes(), 4, []
    while at < len(content):
        (length,) = struct.unpack_from("<i", content, at + 4)
        pieces.append(content[at + 8 : at + 8 + length])
        at += 8 + length
    return pieces


def text_of(pieces: list[bytes], tokens: list[int]) -> str:
    """What the tokens say."""
    said = (pieces[token] for token in tokens[1:])
    spoken = (bytes([int(piece[3:5], 16)]) if piece.startswith(b"<0x") else piece for piece in said)
    return b"".join(spoken).decode("utf-8", "replace").strip()


def float_story(data: Path, count: int) -> list[int]:
    """The first token and the likeliest ones behind it, by the float model."""
    session = Session(read_model(data / "models" / "stories260k_step128.onnx"))
    caches = {name: np.zeros((5, 4, CACHE, 8), np.float32) for name in ("k_cache", "v_cache")}
    tokens = [BEGIN]
    for position in range(count):
        place = {"token": np.array([tokens[-1]]), "position": np.array([position])}
        found = session.run({**place, **caches})
        caches = {name: found[f"{name}_out"] for name in caches}
        tokens.append(int(found["logits"].argmax()))
    return tokens


def compile_step(data: Path, board: str, out: Path, scheme: str = "w8a16") -> edgeq.CompiledModel:
    """The step form for a board, calibrated on texts."""
    with np.load(data / "data" / "stories260k_calib.npz") as file:
        texts = file["tokens"][:CALIBRATION_SEQUENCES]
    positions = np.broadcast_to(np.arange(texts.shape[1]), texts.shape)
    samples = {"token": texts.astype(np.int64)[..., None], "position": positions.astype(np.int64)[..., None]}
    model = data / "models" / "stories260k_step128.onnx"
    return edgeq.compile(model, samples, board=board, scheme=scheme, name="stories", out=out)


def integer_story(compiled: edgeq.CompiledModel, count: int) -> list[int]:
    """As :func:`float_story`, by the reference."""
    graph = Compiled.open(Path(compiled.folder)).graph
    states, tokens = None, [BEGIN]
    for position in range(count):
        given = {"token": tokens[-1], "position": position}
        inputs = {name: np.array([given[name]], graph.tensors[name].dtype.numpy) for name in graph.inputs}
        execution = run(graph, inputs, states)
        states = execution.states
        (logits,) = execution.outputs  # the caches are states
        tokens.append(int(logits.argmax()))
    return tokens


def sequence_of(tokens: list[int]) -> dict[str, Array]:
    """One sequence of time steps that reads all tokens but the last."""
    read = np.array(tokens[:-1], np.int64).reshape(1, -1, 1)
    return {"token": read, "position": np.arange(read.size, dtype=np.int64).reshape(read.shape)}


def likeliest(compiled: edgeq.CompiledModel, tokens: list[int], runner: str) -> list[int]:
    """An image's likeliest token behind each of some tokens but the last."""
    found = compiled.emulate(sequence_of(tokens), runner)
    return [int(outputs["logits"].argmax()) for outputs in found.outputs]


def common(equal: Array) -> int:
    """How many are true before the first that is not."""
    return int(equal.argmin()) if not equal.all() else len(equal)


if __name__ == "__main__":
    main()
