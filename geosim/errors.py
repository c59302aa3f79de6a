"""What geosim refuses, and why.

Every message says what was wanted, what was found and what to do.

    GeosimError
    ├── RasterReadError (OSError)        a file cannot be opened or read
    ├── PictureReadError (OSError)       a picture cannot be opened or decoded
    ├── OutputError (OSError)            the output cannot be written
    │   └── ResultExistsError            there is a result already
    ├── GridMismatchError (ValueError)   the two dates share no grid
    ├── NoDataError (ValueError)         nothing valid to compare
    ├── LabelError (ValueError)          a folder of labelled pairs is not in order
    ├── PairListError (ValueError)       a list of pairs is not in order
    ├── SceneListError (ValueError)      a list of scenes is not in order
    ├── SampleError (ValueError)         the answers of a sample are not in order
    ├── OptionError (ValueError)         an option's value cannot be used
    │   └── OtherRunError                what was interrupted was another run
    ├── WeightsError (ValueError)        a weights file is not what it should be
    ├── IndexFileError (ValueError)      an index file is not what it should be
    ├── ClusterError (OSError)           a Dask cluster cannot be used
    └── MissingDependencyError (ImportError)   an optional library is needed
"""


class GeosimError(Exception):
    """Root of all errors that geosim raises on purpose."""


class RasterReadError(GeosimError, OSError):
    """A raster cannot be opened or read."""


class PictureReadError(GeosimError, OSError):
    """A picture cannot be opened, is too large, damaged, or no picture."""


class OutputError(GeosimError, OSError):
    """The output cannot be written."""


class ResultExistsError(OutputError):
    """The output folder holds a result already."""


class GridMismatchError(GeosimError, ValueError):
    """The two rasters cannot be brought onto one grid."""


class NoDataError(GeosimError, ValueError):
    """No pixel is valid on both dates."""


class LabelError(GeosimError, ValueError):
    """A folder of labelled pairs lacks something, or a label has other values."""


class PairListError(GeosimError, ValueError):
    """A list of pairs lacks something, or a row of it cannot be used."""


class SceneListError(GeosimError, ValueError):
    """The scenes of a series lack something, such as a date."""


class SampleError(GeosimError, ValueError):
    """Samples lack answers, or were moved, lost, doubled or answered otherwise."""


class OptionError(GeosimError, ValueError):
    """An option has a value that cannot be used."""


class OtherRunError(OptionError):
    """The interrupted run that is to go on had other inputs or options."""


class WeightsError(GeosimError, ValueError):
    """A weights file has other tensors, shapes or bytes than it should."""


class IndexFileError(GeosimError, ValueError):
    """An index of pictures is missing, damaged, or made by another model."""


class ClusterError(GeosimError, OSError):
    """A Dask cluster cannot be reached, has no workers, or lost them."""


class MissingDependencyError(GeosimError, ImportError):
    """An optional library is needed and not installed."""
