"""Rasters for the tests: drawn pairs, crops of real ones; areas on the ground."""

import numpy as np
import pyproj
import rasterio
import shapely
from affine import Affine
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter

UTM = "EPSG:32633"
NORTH_UP = Affine(1.0, 0.0, 500_000.0, 0.0, -1.0, 5_400_000.0)
CHANGED = (slice(60, 110), slice(70, 130))
"""Rows and columns of `drawn_pair` where date 2 differs."""


def texture(bands, height, width, seed=1):
    """(bands, height, width) in 0..1: ground that looks like something everywhere."""
    noise = np.random.default_rng(seed).standard_normal((bands, height, width))
    smooth = gaussian_filter(noise, (0, 3, 3))
    return np.clip(0.5 + smooth / (6 * smooth.std()), 0.02, 0.98)


def drawn_pair(bands=3, height=200, width=240, dtype="uint8", top=255):
    """Two dates of one ground, other light on date 2, a bright rectangle in it."""
    ground = texture(bands, height, width)
    grain = np.random.default_rng(2).normal(0.0, 0.01, ground.shape)
    after = np.clip(0.9 * ground + 0.04 + grain, 0.02, 0.98)
    after[:, *CHANGED] = np.clip(texture(bands, 50, 60, seed=3) + 0.35, 0.02, 0.98)
    return (ground * top).astype(dtype), (after * top).astype(dtype)


def write(path, values, *, crs=UTM, transform=NORTH_UP, **profile):
    """Write (bands, height, width) values; the path comes back."""
    bands, height, width = values.shape
    profile = {"driver": "GTiff", "dtype": values.dtype} | profile
    if crs is not None:
        profile |= {"crs": crs, "transform": transform}
    size = {"count": bands, "height": height, "width": width}
    with rasterio.open(path, "w", **size, **profile) as file:
        file.write(values)
    return path


def write_pair(folder, before, after, suffix="tif", **how):
    """Write both dates; their paths come back."""
    return (
        write(folder / f"1990.{suffix}", before, **how),
        write(folder / f"2020.{suffix}", after, **how),
    )


def crop(source, path, window):
    """Copy a window (col_off, row_off, width, height) of a raster with its mask."""
    place = Window(*window)
    with rasterio.open(source) as file:
        profile = {
            key: file.profile[key] for key in ("count", "dtype", "crs", "nodata")
        }
        profile |= {
            "driver": "GTiff",
            "width": place.width,
            "height": place.height,
            "transform": file.transform @ Affine.translation(*window[:2]),
        }
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(path, "w", **profile) as out,
        ):
            out.write(file.read(window=place))
            out.descriptions = file.descriptions
            if file.nodata is None and not file.dataset_mask().all():
                out.write_mask(file.dataset_mask(window=place))
    return path


def read(path, band=None):
    """All pixels of a raster as stored."""
    with rasterio.open(path) as file:
        return file.read(band)


def listing(folder):
    """Everything below a folder with its bytes, hidden files too."""
    found = sorted(folder.rglob("*"))
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in found
        if path.is_file()
    } | {f"{path.relative_to(folder)}/": b"" for path in found if path.is_dir()}


def on_lattice(transform, reference):
    """Whether pixels of two geotransforms lie on each other."""
    place = ~reference @ transform
    parts = np.array([place.a, place.b, place.d, place.e, place.c, place.f])
    wanted = np.array([1, 0, 0, 1, round(place.c), round(place.f)])
    return bool(np.abs(parts - wanted).max() < 1e-6)


def equal_area(polygon, crs):
    """Area of a polygon by an equal-area projection around it."""
    to_degrees = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)
    lon, lat = to_degrees.transform(*polygon.centroid.coords[0])
    flat = pyproj.CRS.from_dict({"proj": "laea", "lat_0": lat, "lon_0": lon})
    step = pyproj.Transformer.from_crs(crs, flat, always_xy=True)
    return shapely.transform(
        shapely.segmentize(polygon, polygon.length / 2000),
        lambda xy: np.column_stack(step.transform(xy[:, 0], xy[:, 1])),
    ).area
