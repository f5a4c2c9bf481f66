"""Device arrays read and given: host memory stands for the device's, torch on the CPU for another library."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from vocabseg import device_arrays
from vocabseg.core import load_core
from vocabseg.device_arrays import DeviceArray, DeviceView, on_device, read
from vocabseg.errors import ShapeError


def nobody(stream: int) -> None:
    raise AssertionError(f"nothing has to wait, asked for {stream}")


class Interface:
    """Speaks the CUDA array interface over a NumPy array."""

    def __init__(self, array: np.ndarray, **fields) -> None:
        strides = None if array.flags.c_contiguous else array.strides
        self.array = array
        self.__cuda_array_interface__ = {
            "version": 3,
            "shape": array.shape,
            "typestr": array.dtype.str,
            "data": (array.ctypes.data, False),
            "strides": strides,
            **fields,
        }


class Exchange:
    """Speaks DLPack over a NumPy array, and says that it lies on a GPU."""

    def __init__(self, array: np.ndarray, device: int = 3) -> None:
        self.array, self.device, self.streams = array, device, []

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.device

    def __dlpack__(self, *, stream: int):
        self.streams.append(stream)
        return self.array.__dlpack__()


class Owner:
    """Something that can be watched going away."""


def contents(view: DeviceView) -> np.ndarray:
    """The host memory behind a view."""
    interface = {"version": 3, "shape": view.shape, "typestr": view.dtype.str, "data": (view.address, False)}
    holder = type("Holder", (), {"__array_interface__": {**interface, "strides": view.strides}})()
    return np.asarray(holder)


def given(array: np.ndarray, wait=nobody, owner: object = None) -> DeviceArray:
    return DeviceArray(array.ctypes.data, array.shape, array.dtype, 0, 7, owner or array, wait)


ARRAYS = {
    "float32": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "float16": np.arange(6, dtype=np.float16),
    "uint8": np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
    "int64": np.arange(4).reshape(1, 4),
    "bool": np.array([[True, False]]),
    "scalar": np.array(3.0),
    "empty": np.empty((0, 5), np.float32),
    "cut": np.arange(24, dtype=np.float32).reshape(4, 6)[1:, ::2],
    "flipped": np.arange(5, dtype=np.int32)[::-1],
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("protocol", [Interface, Exchange])
def test_arrays_of_others(protocol, name: str) -> None:
    array = ARRAYS[name]
    foreign = protocol(array)
    assert on_device(foreign)
    view = read(foreign, 7, nobody)
    assert (view.address, view.shape, view.dtype) == (array.ctypes.data, array.shape, array.dtype)
    assert view.contiguous == array.flags.c_contiguous
    np.testing.assert_array_equal(contents(view), array)


def test_who_waits_for_whom() -> None:
    """By DLPack the giver makes our stream wait, by the other interface the reader does."""
    waited = []
    exchange = Exchange(ARRAYS["float32"])
    read(exchange, 7, waited.append)
    read(exchange, 0, waited.append)
    assert exchange.streams == [7, device_arrays.LEGACY_STREAM] and waited == []
    read(Interface(ARRAYS["float32"], stream=9), 7, waited.append)
    assert waited == [9]
    read(Interface(ARRAYS["float32"], stream=None), 7, waited.append)
    assert waited == [9]


@pytest.mark.parametrize("protocol", [Interface, Exchange])
def test_memory_lives_as_long_as_a_view(protocol) -> None:
    array = np.arange(3, dtype=np.float32)
    gone = weakref.ref(array)
    view = read(protocol(array), 7, nobody)
    del array
    gc.collect()
    assert gone() is not None
    del view
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (Interface(ARRAYS["float32"], mask=np.ones(3)), "masked device array"),
        (Exchange(np.zeros(2, np.complex64)), "type code 5, 64 bits, 1 lanes; expected integers, floats"),
    ],
)
def test_arrays_that_cannot_be_read(array, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        read(array, 7, nobody)


def test_a_capsule_is_taken_once() -> None:
    capsule = ARRAYS["float32"].__dlpack__()
    load_core().dlpack.take(capsule)
    for spent in (capsule, object()):
        with pytest.raises(ShapeError, match="nobody has taken yet"):
            load_core().dlpack.take(spent)


def test_host_arrays_are_not_on_a_device() -> None:
    torch = pytest.importorskip("torch")
    for array in (ARRAYS["float32"], torch.zeros(3), [1, 2], "photo.jpg", None):
        assert not on_device(array)


@pytest.mark.parametrize("name", [name for name in ARRAYS if name not in ("cut", "flipped")])
def test_what_is_given_can_be_read_back(name: str) -> None:
    array, waited = ARRAYS[name], []
    ours = given(array, waited.append)
    assert on_device(ours) and ours.nbytes == array.nbytes
    view = read(ours, 9, nobody)
    assert waited == [9] and view.device == 0 and view.contiguous
    np.testing.assert_array_equal(contents(view), array)
    interface = ours.__cuda_array_interface__
    assert (interface["stream"], interface["strides"]) == (7, None)
    np.testing.assert_array_equal(contents(device_arrays._from_interface(ours, waited.append)), array)
    assert waited == [9, 7]


def test_torch_reads_what_is_given(monkeypatch) -> None:
    """The capsule's layout, by a reader that is not ours; as memory of the CPU, which is what it is here."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(device_arrays, "_CUDA", 1)
    array = ARRAYS["float32"]
    tensor = torch.from_dlpack(given(array).__dlpack__(stream=-1))
    np.testing.assert_array_equal(tensor.numpy(), array)
    assert tensor.data_ptr() == array.ctypes.data


def test_readers_streams() -> None:
    waited = []
    ours = given(ARRAYS["uint8"], waited.append)
    for stream in (None, 2, -1, 12345):
        ours.__dlpack__(stream=stream)
    assert waited == [device_arrays.LEGACY_STREAM, 2, 12345]
    for refused in ({"copy": True}, {"dl_device": (1, 0)}):
        with pytest.raises(BufferError, match="without a copy"):
            ours.__dlpack__(**refused)
    ours.__dlpack__(stream=-1, dl_device=(2, 0), copy=False, max_version=(1, 0))


@pytest.mark.parametrize("taken", [True, False])
def test_the_owner_lives_as_long_as_a_capsule(taken: bool) -> None:
    owner = Owner()
    gone = weakref.ref(owner)
    capsule = given(ARRAYS["uint8"], owner=owner).__dlpack__(stream=-1)
    held = load_core().dlpack.take(capsule) if taken else capsule
    del owner, capsule
    gc.collect()
    assert gone() is not None
    del held
    gc.collect()
    assert gone() is None


def test_repr() -> None:
    assert repr(given(ARRAYS["float32"])) == "DeviceArray([2, 3, 4], float32, cuda:0)"
