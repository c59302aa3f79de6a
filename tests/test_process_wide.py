"""Settings of the whole process come back, also of runs that overlap in threads."""

import threading
import warnings

import pytest
import rasterio
from rasterio.env import get_gdal_config
from rasterio.errors import NodataShadowWarning
from rasters import drawn_pair, write_pair

from geosim import ChangeOptions, detect_change
from geosim.machine.process_wide import Restored, silence
from geosim.raster.environment import GDAL_CACHE


def cache_size():
    with rasterio.Env():
        return get_gdal_config("GDAL_CACHEMAX")


def test_runs_that_overlap_leave_the_process_as_it_was(tmp_path):
    pair = write_pair(tmp_path, *drawn_pair())
    options = ChangeOptions(method="cva", threads=1, memory=3000)
    first_works, second_works = threading.Event(), threading.Event()
    sizes = []

    def in_first(stage, *_):
        if stage == "scoring":
            first_works.set()
            assert second_works.wait(30)

    def in_second(stage, *_):
        second_works.set()
        if stage == "writing":
            first.join(30)
            warnings.warn("of no matter", NodataShadowWarning, stacklevel=1)
            sizes.append(cache_size())

    def run(out, progress):
        detect_change(*pair, tmp_path / out, options, progress=progress)

    first = threading.Thread(target=run, args=("first", in_first))
    before = cache_size()
    first.start()
    assert first_works.wait(30)
    run("second", in_second)
    # of the first one, which has ended, nothing is left
    whole = 2 * 3 * 200 * 240
    assert GDAL_CACHE < sizes[0] < GDAL_CACHE + 2 * whole
    assert cache_size() == before
    with pytest.raises(NodataShadowWarning):
        warnings.warn("heard again", NodataShadowWarning, stacklevel=1)


def test_a_setting_comes_back_with_the_last_who_leaves():
    told = ["before"]
    setting = Restored(lambda: told[-1], told.append)
    first, second = setting.afterwards(), setting.afterwards()
    assert first.__enter__() == "before"
    told.append("first")
    assert second.__enter__() == "before"
    first.__exit__(None, None, None)
    assert told[-1] == "first"
    second.__exit__(None, None, None)
    assert told[-1] == "before"
    with pytest.raises(ZeroDivisionError), setting.afterwards():
        told.append(1 / 0)
    assert told[-1] == "before"


def test_silence_ends_with_the_last_who_wants_it():
    before = list(warnings.filters)
    first, second = silence(UserWarning), silence(UserWarning)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    warnings.warn("of no matter", UserWarning, stacklevel=1)
    second.__exit__(None, None, None)
    assert list(warnings.filters) == before
    with pytest.raises(UserWarning, match="again"):
        warnings.warn("heard again", UserWarning, stacklevel=1)


def test_silence_is_of_one_kind():
    with silence(message="one"):
        warnings.warn("one thing", UserWarning, stacklevel=1)
        with pytest.raises(UserWarning, match="other"):
            warnings.warn("the other one", UserWarning, stacklevel=1)


def test_filters_of_others_stay_when_silence_ends():
    before = list(warnings.filters)
    with warnings.catch_warnings():
        with silence(UserWarning):
            warnings.simplefilter("ignore", UserWarning)
            kept = warnings.filters[0]
        assert list(warnings.filters) == [kept, *before]
    quiet, others = silence(UserWarning), warnings.catch_warnings()
    quiet.__enter__()
    others.__enter__()  # as another thread might
    quiet.__exit__(None, None, None)
    assert list(warnings.filters) == before
    others.__exit__(None, None, None)
    assert list(warnings.filters) == before
