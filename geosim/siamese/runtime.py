"""OpenVINO without its model converter.

`import openvino` loads the converter too, if it is there, and that reports its use over
the network, from a process that it forks. geosim converts nothing; nothing of a run
shall leave the machine, and a fork beside threads that compute can hang. For OpenVINO
the converter is optional: `openvino.tools.ovc` can still be imported by name.
"""

from __future__ import annotations

import sys
from typing import Any

_CONVERTER = "openvino.tools.ovc"


def _import_openvino() -> Any:  # noqa: ANN401 - it has no types
    if "openvino" in sys.modules or _CONVERTER in sys.modules:
        import openvino

        return openvino
    modules: dict[str, Any] = sys.modules
    modules[_CONVERTER] = None  # what Python takes for "cannot be imported"
    try:
        import openvino
    finally:
        del modules[_CONVERTER]
    return openvino


openvino: Any = _import_openvino()
ops: Any = openvino.opset13
