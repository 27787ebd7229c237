"""Honest pickles of another form: refused, but not called an attack."""

import io
import pickle

import numpy as np
import pytest

import indomer

N_CLIPS = 2000


def frames():
    return np.ones((2, 3), np.float32)


def names():
    return [f"clip_{i}_Cooking_1.mp4" for i in range(N_CLIPS)]


def entry(name="clip_1_Cooking_1.mp4", **more):
    return {"video_name": name, "video_feature": frames(), **more}


FORMS = {
    "name -> array": lambda: {name: frames() for name in names()},
    "name -> dict": lambda: {name: entry(name) for name in names()},
    "name -> list of numbers": lambda: {name: [1.0] * 60 for name in names()},
    "number -> array": lambda: {i: frames() for i in range(N_CLIPS)},
    "split -> list": lambda: {"train": [entry(name) for name in names()]},
    "columns": lambda: {"video_name": names(), "video_feature": [frames() for _ in names()]},
    "bytes as keys": lambda: [{b"video_name": "a", b"video_feature": frames()}],
    "numbers as keys": lambda: [{0: "a", 1: frames()}, {0: "b", 1: frames()}],
    "None as a key": lambda: [{None: 1, **entry()}],
    "a tuple as a key": lambda: [{("a", 1): 1, **entry()}],
    "numbers as further keys": lambda: [entry(more={1: 2, 3: 4})],
    "bytes as a name": lambda: [entry(b"clip_1")],
    "None as a name": lambda: [entry(None)],
    "a number as a name": lambda: [entry(7)],
    "a list as a name": lambda: [entry(["clip_1"])],
    "lists": lambda: [[name, frames()] for name in names()],
    "tuples": lambda: [(name, frames()) for name in names()],
    "arrays": lambda: [frames() for _ in names()],
    "an array": frames,
    "text": lambda: "clip_1",
    "nothing": lambda: None,
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_other_form_is_refused_and_not_called_unsafe(form, protocol):
    file = io.BytesIO(pickle.dumps(form(), protocol))
    with pytest.raises(indomer.IndoMERError, match=r"expected .*found ") as caught:
        len(indomer.FeatureFile(file))
    assert not isinstance(caught.value, indomer.UnsafePickleError)
    assert "Nothing was run" not in str(caught.value)
    # What it should be instead.
    assert '"video_name": str' in str(caught.value)


DTYPES = {
    "objects": object,
    "dates": "M8[s]",
    "complex numbers": np.complex128,
    "long numbers": np.longdouble,
    "text": "U3",
    "fields": [("x", "f4")],
}


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_array_of_another_dtype_is_to_be_converted_not_fetched_again(dtype, protocol):
    if np.dtype(dtype) == np.float64:
        pytest.skip("no long numbers on this machine")
    entries = [{"video_name": "clip_1", "video_feature": np.zeros((2, 3), dtype)}]
    file = io.BytesIO(pickle.dumps(entries, protocol))
    with pytest.raises(indomer.UnsafePickleError, match="expected a dtype of numbers") as caught:
        len(indomer.FeatureFile(file))
    assert "Nothing was run. Whoever wrote it converts the arrays" in str(caught.value)
    assert "etch" not in str(caught.value)
