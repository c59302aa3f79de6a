"""Pixels held in memory: the same as read from the files."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from geosim.raster import held
from geosim.raster.grid import Window
from geosim.raster.scene import open_scene

SAMPLES = Path(__file__).parents[1] / "sample_data"
PAIR = str(SAMPLES / "1990.tif"), str(SAMPLES / "2020.tif")

WINDOWS = [
    Window(0, 0, 256, 256),
    Window(1000, 900, 900, 900),
    Window(371, 517, 24, 24),
    Window(0, 0, 1200, 1200),
]


@pytest.mark.parametrize("moved", [False, True])
def test_windows_of_a_held_pair_are_those_of_the_files(*, moved: bool) -> None:
    with open_scene(*PAIR) as read, open_scene(*PAIR, hold=True) as kept:
        if moved:
            for scene in (read, kept):
                scene.read(WINDOWS[0])
                scene.correct_shift(0.4, -1.3)
        for window in WINDOWS:
            one, two = read.read(window), kept.read(window)
            assert np.array_equal(one.valid, two.valid)
            assert np.array_equal(one.before[:, one.valid], two.before[:, one.valid])
            assert np.array_equal(one.after[:, one.valid], two.after[:, one.valid])
            for a, b in zip(
                read.read_roles(window), kept.read_roles(window), strict=True
            ):
                assert np.array_equal(a, b)


def test_what_is_done_to_a_window_does_not_reach_the_next_one() -> None:
    with open_scene(*PAIR, hold=True) as scene:
        first = scene.read(WINDOWS[0])
        wanted = first.before.copy()
        first.before[:], first.valid[:] = -1.0, False
        assert np.array_equal(scene.read(WINDOWS[0]).before, wanted)


PLACE = Affine(10, 0, 500_000, 0, -10, 5_000_000)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("room", [held.MOST_BYTES, 100])
def test_any_type_and_order_of_bands(
    dtype: str, room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "MOST_BYTES", room)
    values = np.random.default_rng(3).integers(0, 200, (4, 70, 90)).astype(dtype)
    values[:, :9] = 7
    path = str(tmp_path / "bands.tif")
    profile = {"driver": "GTiff", "count": 4, "dtype": dtype, "nodata": 7}
    profile |= {"photometric": "MINISBLACK", "ALPHA": "NO"}
    with rasterio.open(
        path, "w", width=90, height=70, crs="EPSG:32633", transform=PLACE, **profile
    ) as dataset:
        dataset.write(values)
        dataset.descriptions = ("nir", "red", "green", "blue")
    with open_scene(path, path, bands="3,1,2", hold=True) as scene:
        for left, right in pairwise((0, 20, 90)):
            window = Window(left, 5, right - left, 40)
            pair = scene.read(window)
            expected = values[:, 5:45, left:right]
            assert np.array_equal(pair.before, expected[[2, 0, 1]].astype(np.float32))
            assert not pair.valid[:4].any()
            assert pair.valid[4:].all()
            roles = dict(zip(scene.roles, scene.read_roles(window)[0], strict=True))
            assert np.array_equal(roles["nir"][4:], expected[0, 4:])
            # what has no data stands for its neighbours
            assert (roles["nir"][:4] == expected[0, 4]).all()


def test_a_large_raster_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MOST_PIXELS", 1000)
    with open_scene(*PAIR) as read, open_scene(*PAIR, hold=True) as kept:
        one, two = read.read(WINDOWS[1]), kept.read(WINDOWS[1])
        assert np.array_equal(one.after[:, one.valid], two.after[:, two.valid])


def test_bands_of_several_types_keep_their_values(tmp_path: Path) -> None:
    """Colours in 8 bits and an infrared in 16, put together in a VRT."""
    rng = np.random.default_rng(0)
    colours = rng.integers(1, 256, (3, 64, 64)).astype(np.uint8)
    infrared = rng.integers(1, 6000, (1, 64, 64)).astype(np.uint16)
    where = {"crs": "EPSG:32633", "transform": Affine(10, 0, 500_000, 0, -10, 5e6)}
    for name, values in (("rgb", colours), ("nir", infrared)):
        size = dict(zip(("count", "height", "width"), values.shape, strict=True))
        with rasterio.open(
            tmp_path / f"{name}.tif", "w", dtype=values.dtype, **size, **where
        ) as file:
            file.write(values)
    bands = [("red", "Byte", 1), ("green", "Byte", 2), ("blue", "Byte", 3)]
    lines = ""
    for number, (role, kind, place) in enumerate([*bands, ("nir", "UInt16", 1)], 1):
        path = tmp_path / ("nir.tif" if role == "nir" else "rgb.tif")
        lines += (
            f'<VRTRasterBand dataType="{kind}" band="{number}">'
            f"<Description>{role}</Description><SimpleSource><SourceFilename>{path}"
            f"</SourceFilename><SourceBand>{place}</SourceBand></SimpleSource>"
            "</VRTRasterBand>"
        )
    virtual = tmp_path / "both.vrt"
    virtual.write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>EPSG:32633</SRS>'
        f"<GeoTransform>500000,10,0,5000000,0,-10</GeoTransform>{lines}</VRTDataset>"
    )
    with open_scene(str(virtual), str(virtual), hold=True) as scene:
        before, _, _ = scene.read_roles(Window(0, 0, 64, 64))
        values = dict(zip(scene.roles, before, strict=True))
        assert np.array_equal(values["nir"], infrared[0])
        assert np.array_equal(values["red"], colours[0])
        scene.correct_shift(1.0, 0.0)
        _, after, _ = scene.read_roles(Window(0, 0, 64, 60))
        moved = dict(zip(scene.roles, after, strict=True))
    assert np.array_equal(moved["nir"], infrared[0, 1:61])
    assert np.array_equal(moved["red"], colours[0, 1:61])
