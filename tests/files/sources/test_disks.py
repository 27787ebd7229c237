"""Disks and network shares that fail while a release is read."""

import errno
import os

import pytest

from tests.support.failing_reads import outcomes
from tests.support.release_writers import make_clips, write_release

PICKLE = "video_feature/train_video_features.pkl"
ERRORS = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
READERS = {
    "7_class/train.json": ("stream", "prepare"),
    "Annotations.csv": ("stream", "prepare"),
    PICKLE: ("features", "stream", "prepare", "prepare by two"),
}


def make_cases():
    for file, ways in READERS.items():
        for number in ERRORS if file == PICKLE else ERRORS[:2]:
            fault = {"FAIL_PATH": file, "FAIL_ERRNO": str(number)}
            for way in ways:
                yield {"way": way, **fault}
                if file == PICKLE:
                    # In the middle of the frames.
                    yield {"way": way, **fault, "FAIL_FROM": "60000"}
            if number != errno.ETIMEDOUT:
                yield {"way": ways[0], **fault, "FAIL_OPEN": "1"}
                if file == PICKLE:
                    yield {"way": ways[0], **fault, "FAIL_STAT": "1"}


CASES = list(make_cases())


def name_of(case):
    code = errno.errorcode[int(case["FAIL_ERRNO"])]
    return " ".join([case["FAIL_PATH"], case["way"], code, *map("=".join, list(case.items())[3:])])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    return write_release(folder, make_clips(8), make_clips(2, first_video=50))


@pytest.fixture(scope="module")
def found(data, tmp_path_factory):
    plain = [{"way": way} for way in ("features", "stream", "prepare")]
    checks = [{"way": "check", "FAIL_PATH": file, "FAIL_ERRNO": "5"} for file in READERS]
    return outcomes(data, tmp_path_factory.mktemp("faults"), [*plain, *CASES, *checks])


def test_without_a_fault_all_is_read(found):
    assert found[:3] == [{"rows": 8}] * 3


@pytest.mark.parametrize("number", range(len(CASES)), ids=[name_of(case) for case in CASES])
def test_fault_is_one_error_that_names_the_file(found, data, number):
    case, outcome = CASES[number], found[number + 3]
    assert "IndoMERError" in outcome["types"], outcome
    message = outcome["message"]
    assert message.startswith(str(data / case["FAIL_PATH"]))
    assert message.count(case["FAIL_PATH"]) == 1
    assert os.strerror(int(case["FAIL_ERRNO"])) in message
    # What to try.
    assert "try again" in message or "again" in message.rpartition(". ")[2]
    assert "Fetch the file" not in message


@pytest.mark.parametrize("number", range(len(READERS)), ids=READERS)
def test_check_finds_what_cannot_be_read(found, number):
    file, outcome = list(READERS)[number], found[number + 3 + len(CASES)]
    unread = [where for where, example in outcome["found"] if "could not be read" in example]
    assert unread == [file]
