"""geosim: what changed between two georeferenced images of one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from geosim.assess import Assessment, assess_sample
    from geosim.assessing.options import (
        AssessOptions,
        EvaluateOptions,
        SampleOptions,
    )
    from geosim.batch import detect_changes
    from geosim.batching.pairs import ImagePair, read_pair_list
    from geosim.batching.summary import PairOutcome
    from geosim.cluster_options import ClusterOptions
    from geosim.compare import compare_images, compare_models
    from geosim.comparison_files import ImageComparison
    from geosim.delivering.exporting import export_changes
    from geosim.delivering.finished import open_result
    from geosim.delivering.remaking import remake_report
    from geosim.duplicates import find_pairs
    from geosim.errors import GeosimError
    from geosim.evaluate import Evaluation, evaluate_methods
    from geosim.image_options import CompareOptions, SynthOptions
    from geosim.option_values import MinArea
    from geosim.options import ChangeOptions
    from geosim.pipeline import detect_change
    from geosim.ranking import rank_models
    from geosim.result import ChangeResult
    from geosim.sample import Sample, draw_sample
    from geosim.search import build_index, search_index
    from geosim.search_options import IndexOptions, SearchOptions
    from geosim.series import detect_series
    from geosim.siamese.loading import create_siamese_model
    from geosim.synth import make_pairs
    from geosim.timeline.options import SeriesOptions
    from geosim.timeline.result import SeriesResult
    from geosim.timeline.scenes import DatedScene, read_scenes
    from geosim.train import train_model
    from geosim.train_options import TrainOptions
    from geosim.train_pairs import train_on_pairs
    from geosim.training.model_files import TrainResult
    from geosim.training.pair_model_files import PairTrainResult

__all__ = [
    "AssessOptions",
    "Assessment",
    "ChangeOptions",
    "ChangeResult",
    "ClusterOptions",
    "CompareOptions",
    "DatedScene",
    "EvaluateOptions",
    "Evaluation",
    "GeosimError",
    "ImageComparison",
    "ImagePair",
    "IndexOptions",
    "MinArea",
    "PairOutcome",
    "PairTrainResult",
    "Sample",
    "SampleOptions",
    "SearchOptions",
    "SeriesOptions",
    "SeriesResult",
    "SynthOptions",
    "TrainOptions",
    "TrainResult",
    "__version__",
    "assess_sample",
    "build_index",
    "compare_images",
    "compare_models",
    "create_siamese_model",
    "detect_change",
    "detect_changes",
    "detect_series",
    "draw_sample",
    "evaluate_methods",
    "export_changes",
    "find_pairs",
    "make_pairs",
    "open_result",
    "rank_models",
    "read_pair_list",
    "read_scenes",
    "remake_report",
    "search_index",
    "train_model",
    "train_on_pairs",
]

_HOMES = {
    "ChangeOptions": "geosim.options",
    "ChangeResult": "geosim.result",
    "ClusterOptions": "geosim.cluster_options",
    "CompareOptions": "geosim.image_options",
    "DatedScene": "geosim.timeline.scenes",
    "GeosimError": "geosim.errors",
    "ImageComparison": "geosim.comparison_files",
    "ImagePair": "geosim.batching.pairs",
    "IndexOptions": "geosim.search_options",
    "MinArea": "geosim.option_values",
    "PairOutcome": "geosim.batching.summary",
    "SearchOptions": "geosim.search_options",
    "PairTrainResult": "geosim.training.pair_model_files",
    "SeriesOptions": "geosim.timeline.options",
    "SeriesResult": "geosim.timeline.result",
    "SynthOptions": "geosim.image_options",
    "TrainOptions": "geosim.train_options",
    "TrainResult": "geosim.training.model_files",
    "build_index": "geosim.search",
    "compare_images": "geosim.compare",
    "compare_models": "geosim.compare",
    "create_siamese_model": "geosim.siamese.loading",
    "detect_change": "geosim.pipeline",
    "detect_changes": "geosim.batch",
    "detect_series": "geosim.series",
    "export_changes": "geosim.delivering.exporting",
    "find_pairs": "geosim.duplicates",
    "make_pairs": "geosim.synth",
    "open_result": "geosim.delivering.finished",
    "rank_models": "geosim.ranking",
    "read_pair_list": "geosim.batching.pairs",
    "read_scenes": "geosim.timeline.scenes",
    "remake_report": "geosim.delivering.remaking",
    "search_index": "geosim.search",
    "train_model": "geosim.train",
    "train_on_pairs": "geosim.train_pairs",
    "AssessOptions": "geosim.assessing.options",
    "Assessment": "geosim.assess",
    "EvaluateOptions": "geosim.assessing.options",
    "Evaluation": "geosim.evaluate",
    "Sample": "geosim.sample",
    "SampleOptions": "geosim.assessing.options",
    "assess_sample": "geosim.assess",
    "draw_sample": "geosim.sample",
    "evaluate_methods": "geosim.evaluate",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Import a public name when it is first used: `import geosim` stays fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'geosim' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
