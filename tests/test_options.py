"""Options: every refusal says what was wanted and found; defaults have one home."""

import dataclasses
import inspect
import json
import os
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from geosim import cli
from geosim.commands import options as cli_options
from geosim.errors import GeosimError, OptionError
from geosim.option_values import MinArea
from geosim.options import DEFAULT_TILE, MIN_TILE, ChangeOptions, Method


@pytest.mark.parametrize(
    ("name", "value", "wanted", "found"),
    [
        ("method", "vgg", "siamese, ssim, cva, irmad", "'vgg'"),
        ("normalize", "zscore", "histogram, linear, none", "'zscore'"),
        ("device", "tpu", "auto, cpu, torch, cuda", "'tpu'"),
        ("precision", "int4", "auto, int8, float32", "'int4'"),
        ("threshold", "triangle", "auto, otsu, kapur or a probability", "'triangle'"),
        ("threshold", 0.0, "above 0 and up to 1", "found 0"),
        ("threshold", -0.5, "above 0 and up to 1", "found -0.5"),
        ("threshold", 1.5, "above 0 and up to 1", "found 1.5"),
        ("threshold", float("nan"), "above 0 and up to 1", "found nan"),
        ("tile_size", 31, "--tile-size wants at least 32 pixels", "found 31"),
        ("threads", 0, "--threads wants at least 1 threads", "found 0"),
        ("memory", 499, "--memory wants at least 500 MB", "found 499"),
        ("block_size", 8, "--block-size wants at least 16 pixels", "found 8"),
        ("block_size", 100, "a multiple of 16", "found 100; take 96"),
        ("resolution", 0.0, "above 0", "found 0"),
        ("resolution", -2.0, "above 0", "found -2"),
        ("resolution", float("nan"), "above 0", "found nan"),
        ("resolution", float("inf"), "above 0", "found inf"),
        ("bounds", (2.0, 0.0, 1.0, 1.0), "left < right", "(2.0, 0.0, 1.0, 1.0)"),
        ("bounds", (0.0, 1.0, 1.0, 1.0), "bottom < top", "(0.0, 1.0, 1.0, 1.0)"),
        ("bounds", (0.0, float("nan"), 1.0, 1.0), "bottom < top", "nan"),
        ("bounds", (0.0, 0.0, float("inf"), 1.0), "left < right", "inf"),
        ("date_before", "20", "--date-before wants a date like 2020", "'20'"),
        ("date_before", "14.07.2020", "2020-07-14", "'14.07.2020'"),
        ("date_after", "2020-13", "--date-after wants a date", "'2020-13'"),
        ("date_after", "2020-02-30", "--date-after wants a date", "'2020-02-30'"),
        ("date_before", 2020, "--date-before wants text such as '2020-07'", "2020"),
        ("bands", [1, 2, 3], "--bands wants text such as '4,3,2'", "[1, 2, 3]"),
        ("tile_size", "256", "--tile-size wants a whole number", "'256'"),
        ("memory", 1e3, "--memory wants a whole number", "1000.0"),
        ("threshold", True, "--threshold wants a number", "True"),
        ("resolution", "5", "--resolution wants a number", "'5'"),
        ("bounds", (1.0, 2.0), "--bounds wants 4 numbers", "(1.0, 2.0)"),
        ("bounds", (None, 0, 1, 1), "--bounds wants a number", "None"),
        ("bounds", "1234", "--bounds wants 4 numbers", "'1234'"),
        ("min_area", "500", "MinArea.parse('500')", "'500'"),
        ("date_after", "0000", "--date-after wants a date", "'0000'"),
    ],
)
def test_refused(name, value, wanted, found):
    with pytest.raises(OptionError) as caught:
        ChangeOptions(**{name: value})
    text = str(caught.value)
    assert wanted in text
    assert found in text
    assert "\n" not in text
    assert text.startswith(f"--{name.replace('_', '-')} ")
    assert isinstance(caught.value, (GeosimError, ValueError))


@pytest.mark.parametrize(
    "values",
    [
        *({"method": method} for method in get_args(Method)),
        {"threshold": 1.0},
        {"threshold": 1e-3},
        {"threshold": 1},
        {"threshold": "kapur"},
        {"tile_size": MIN_TILE},
        {"threads": 1},
        {"memory": 500},
        {"block_size": 16},
        {"resolution": 1e-6},
        {"bounds": (-1.0, -1.0, 0.0, 0.0)},
        {"date_before": "2020", "date_after": "2020-02-29"},
        {"date_before": "2020-12", "date_after": "0999-01-01"},
    ],
)
def test_taken(values):
    options = ChangeOptions(**values)
    for name, value in values.items():
        assert getattr(options, name) == value


def test_values_of_programs_become_plain():
    options = ChangeOptions(
        grid=Path("grid.tif"),
        mask_after=Path("clouds.gpkg"),
        weights=Path("mine.safetensors"),
        tile_size=np.int64(64),
        threshold=np.float32(0.5),
        resolution=np.float64(10),
        bounds=np.array([0, 1, 2, 3]),
        creation_options={"COMPRESS": "LZW"},
        formats="geojson",
    )
    values = json.loads(json.dumps(options.to_dict()))
    assert values["grid"] == "grid.tif"
    assert values["mask_after"] == "clouds.gpkg"
    assert values["weights"] == "mine.safetensors"
    assert (values["tile_size"], values["threshold"]) == (64, 0.5)
    assert (values["resolution"], values["bounds"]) == (10.0, [0.0, 1.0, 2.0, 3.0])
    assert options.creation_options == (("COMPRESS", "LZW"),)
    assert options.formats == ("geojson",)


def test_creation_options_are_pairs():
    with pytest.raises(OptionError, match="pairs; found 'COMPRESS=LZW'"):
        ChangeOptions(creation_options=["COMPRESS=LZW"])


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ChangeOptions().method = "cva"


@pytest.mark.parametrize(
    ("text", "value", "unit", "written"),
    [
        ("500", 500.0, "m2", "500m2"),
        ("500m2", 500.0, "m2", "500m2"),
        (" 12.5 m2 ", 12.5, "m2", "12.5m2"),
        ("50px", 50.0, "px", "50px"),
        ("0.5ha", 5000.0, "m2", "5000m2"),
        ("2.3 ha", 23000.0, "m2", "23000m2"),
        ("0", 0.0, "m2", "0m2"),
        ("1234567", 1234567.0, "m2", "1234567m2"),
        ("1234567.25m2", 1234567.25, "m2", "1234567.25m2"),
    ],
)
def test_min_area(text, value, unit, written):
    found = MinArea.parse(text)
    assert found == MinArea(value=value, unit=unit)
    assert str(found) == written
    assert MinArea.parse(str(found)) == found


@pytest.mark.parametrize("text", ["", "m2", "-5", "5 acre", "5e3", "nan", "50 px 2"])
def test_min_area_refused(text):
    with pytest.raises(OptionError, match="--min-area wants") as caught:
        MinArea.parse(text)
    assert f"'{text}'" in str(caught.value)


def test_threads():
    assert ChangeOptions(threads=3).thread_count == 3
    assert ChangeOptions().thread_count == len(os.sched_getaffinity(0))


def test_to_dict_is_plain():
    options = ChangeOptions(creation_options=(("COMPRESS", "ZSTD"),), tile_size=64)
    values = options.to_dict()
    assert values["min_area"] == "50px"
    assert values["creation_options"] == {"COMPRESS": "ZSTD"}
    assert values["tile_size"] == 64
    fields = {field.name for field in dataclasses.fields(ChangeOptions)}
    assert set(values) == fields - {"resume", "worker_memory"}


# the command line has the same defaults


PARSED = {
    "threshold": cli_options.parse_threshold,
    "min_area": MinArea.parse,
    "threads": cli_options.parse_threads,
    "formats": lambda given: tuple(given or ("gpkg",)),
}


def test_command_line_has_the_same_defaults():
    parameters = inspect.signature(cli.change).parameters
    defaults = ChangeOptions()
    for field in dataclasses.fields(ChangeOptions):
        if field.name == "creation_options":
            assert parameters["co"].default is None
            assert defaults.creation_options == ()
            continue
        if field.name == "worker_memory":
            continue  # not asked for: set where several processes work
        given = parameters[field.name].default
        parse = PARSED.get(field.name, lambda value: value)
        assert parse(given) == getattr(defaults, field.name), field.name


def test_command_line_has_no_options_of_its_own_but_the_talking():
    names = set(inspect.signature(cli.change).parameters)
    fields = {field.name for field in dataclasses.fields(ChangeOptions)}
    cluster = {"workers", "scheduler"}
    talking = {"before", "after", "out", "co", "as_json", "quiet", "verbose", "debug"}
    of_the_result = {"ogr", "ogr_layer", "pdf"}  # made of it once it is whole
    assert names - fields == talking | cluster | of_the_result
    assert fields - names == {"creation_options", "worker_memory"}


def test_default_tile():
    assert DEFAULT_TILE == 256
    assert ChangeOptions().tile_size is None
