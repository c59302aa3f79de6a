"""torch, or a clear word that it is missing.

The modules that need torch take it from here, so that all of them say the same.
"""

from geosim.errors import MissingDependencyError

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError as error:  # pragma: no cover - tests run with torch
    message = (
        f"torch is needed for this and cannot be imported ({error}); "
        "install it with: pip install 'geosim[torch]'"
    )
    raise MissingDependencyError(message) from error

__all__ = ["functional", "nn", "torch"]
