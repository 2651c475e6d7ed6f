"""Data files are read safely, matched to the model's inputs, and handed out one sample at a time."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgeq.errors import EdgeqError
from edgeq.numerics.array import Array
from edgeq.onnxio.samples import InputSpec, Samples, read_arrays

F32 = np.dtype(np.float32)
IMAGE = InputSpec("image", (1, 1, 4, 5), F32)


def write(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def npy_bytes(array: Array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def code_of(path: Path, *specs: InputSpec) -> str:
    with pytest.raises(EdgeqError) as caught:
        Samples.open(path, specs or (IMAGE,))
    assert caught.value.exit_code == 2
    return caught.value.problems[0].code


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 1, 4, 5), (3, 1, 1, 4, 5)])
def test_samples_take_the_shape_of_the_input(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x = np.arange(60, dtype=np.float64).reshape(shape)
    samples = Samples.open(write(tmp_path / "d.npz", x=x), (IMAGE,))
    assert len(samples) == 3
    (array,) = samples.inputs(2).values()
    assert array.shape == (1, 1, 4, 5)
    assert array.dtype == np.float32
    assert array.ravel().tolist() == list(range(40, 60))
    assert [next(iter(item)) for item in samples] == ["image"] * 3


def test_samples_of_several_inputs_by_name(tmp_path: Path) -> None:
    specs = (InputSpec("a", (1, 2), F32), InputSpec("b", (1, 3), np.dtype(np.int64)))
    path = write(tmp_path / "d.npz", a=np.ones((5, 2), np.float16), b=np.full((5, 3), 7, np.int16), y=np.arange(5))
    samples = Samples.open(path, specs)
    assert {name: array.dtype for name, array in samples.inputs(0).items()} == {"a": F32, "b": np.dtype(np.int64)}
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 1, 2, 3, 4]


def test_integers_are_scaled_and_their_grid_is_known(tmp_path: Path) -> None:
    x = np.array([[0] * 20, [255] * 20], np.uint8).reshape(2, 4, 5)
    path = write(tmp_path / "d.npz", x=x, x_scale=np.float32(1 / 255), x_offset=np.float32(-0.5), z=np.zeros(3))
    samples = Samples.open(path, (IMAGE,))
    assert samples.inputs(1)["image"].max() == pytest.approx(0.5, abs=1e-6)
    integers = samples.integer_scales["image"]
    assert (integers.low, integers.high, integers.offset) == (0, 255, -0.5)
    assert samples.extra.keys() == {"z"}
    first = samples.first(1)
    assert len(first) == 1
    assert np.array_equal(first.inputs(0)["image"], samples.inputs(0)["image"])


def test_integers_without_a_scale_count_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "d.npz", x=np.full((1, 4, 5), -3, np.int16))
    assert Samples.open(path, (IMAGE,)).inputs(0)["image"].min() == -3


@pytest.mark.parametrize(
    ("arrays", "code"),
    [
        ({"z": np.zeros((2, 4, 5))}, "EQ0112"),
        ({"x": np.zeros((2, 5, 4))}, "EQ0134"),
        ({"x": np.zeros((2, 5, 5))}, "EQ0113"),
        ({"x": np.float32(1)}, "EQ0113"),
        ({"x": np.zeros((0, 4, 5))}, "EQ0114"),
        ({"x": np.full((2, 4, 5), np.nan)}, "EQ0115"),
        ({"x": np.full((2, 4, 5), 1e39)}, "EQ0115"),
        ({"x": np.full((2, 4, 5), np.inf, np.float16)}, "EQ0115"),
        ({"x": np.zeros((2, 4, 5)), "group": np.zeros(3)}, "EQ0116"),
        ({"x": np.zeros((2, 4, 5), complex)}, "EQ0117"),
        ({"x": np.full((2, 4, 5), "a")}, "EQ0117"),
        ({"x": np.zeros((2, 4, 5), np.uint8), "x_scale": np.float32(0)}, "EQ0118"),
        ({"x": np.zeros((2, 4, 5), np.uint8), "x_offset": np.array([1, 2])}, "EQ0118"),
    ],
)
def test_wrong_contents_are_refused(tmp_path: Path, arrays: dict[str, object], code: str) -> None:
    assert code_of(write(tmp_path / "d.npz", **arrays)) == code


def test_unequal_lengths_and_floats_for_an_integer_input_are_refused(tmp_path: Path) -> None:
    specs = (InputSpec("a", (1, 2), F32), InputSpec("b", (1, 3), np.dtype(np.int64)))
    assert code_of(write(tmp_path / "1.npz", a=np.ones((5, 2)), b=np.ones((4, 3), int)), *specs) == "EQ0116"
    assert code_of(write(tmp_path / "2.npz", a=np.ones((5, 2)), b=np.ones((5, 3))), *specs) == "EQ0117"
    assert code_of(write(tmp_path / "3.npz", x=np.ones((5, 2))), *specs) == "EQ0112"


def test_messages_say_what_was_found_and_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(EdgeqError) as caught:
        Samples.open(write(tmp_path / "d.npz", x=np.zeros((2, 5, 4))), (IMAGE,))
    text = str(caught.value)
    assert "[2, 5, 4]" in text
    assert "[N, 4, 5] for input image [1, 1, 4, 5]" in text


def test_files_that_are_no_archives_are_refused(tmp_path: Path) -> None:
    assert code_of(tmp_path / "absent.npz") == "EQ0110"
    assert code_of(tmp_path) == "EQ0110"
    for number, data in enumerate((b"", b"not a zip", npy_bytes(np.zeros((2, 4, 5))))):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(data)
        assert code_of(path) == "EQ0110"


def test_a_truncated_or_corrupted_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "d.npz", x=np.random.default_rng(0).normal(size=(2, 4, 5)))
    data = path.read_bytes()
    for cut in range(0, len(data), 37):
        path.write_bytes(data[:cut])
        assert code_of(path) == "EQ0110"
    path.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    assert code_of(path) == "EQ0110"


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", stream.getvalue() + pickle.dumps([1]))
    assert code_of(path) == "EQ0117"


def test_an_expanding_archive_is_refused_before_it_is_expanded(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as entry:
        entry.write(npy_bytes(np.zeros((1, 4, 5), np.uint8))[:128])
        for _ in range(80):
            entry.write(bytes(1 << 20))
    assert code_of(path) == "EQ0111"


def test_a_header_that_promises_more_than_there_is_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    stream = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 4, 5)}
    np.lib.format.write_array_header_1_0(stream, header)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", stream.getvalue() + bytes(80))
    assert code_of(path) == "EQ0110"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("x.npy", "x.npy"), ("x.txt",)])
def test_a_name_twice_and_other_files_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = tmp_path / "d.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, npy_bytes(np.zeros((2, 4, 5))))
    assert code_of(path) == "EQ0110"


def test_file_without_arrays_lacks_the_input(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.npz", "w"):
        pass
    assert code_of(tmp_path / "d.npz") == "EQ0112"


def test_order_and_byte_order_do_not_matter(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    plain = read_arrays(write(tmp_path / "a.npz", x=x))["x"]
    turned = read_arrays(write(tmp_path / "b.npz", x=np.asfortranarray(x.astype(">f4"))))["x"]
    assert plain.dtype == turned.dtype
    assert np.array_equal(plain, turned)


def test_there_is_no_sample_beyond_the_last(tmp_path: Path) -> None:
    samples = Samples.open(write(tmp_path / "d.npz", x=np.zeros((2, 4, 5))), (IMAGE,))
    for index in (-1, 2):
        with pytest.raises(IndexError):
            samples.inputs(index)
