"""Where torch trains: processor or GPU, threads, precision."""

from __future__ import annotations

from geosim.errors import OptionError
from geosim.siamese.backend import torch


def use_device(device: str, threads: int | None) -> None:
    """Check that torch can train there and set its threads.

    Raises:
        OptionError: no GPU where one is asked for.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise OptionError(
            "--device cuda wants an NVIDIA GPU that torch can use; found none; leave "
            "--device out to train on the CPU"
        )
    if threads:
        torch.set_num_threads(threads)


def describe_device(device: str) -> str:
    """What a training ran on, for its card."""
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    precision = "bfloat16" if has_bfloat16() else "float32"
    threads = torch.get_num_threads()
    return f"a CPU, {threads} threads, {precision}, torch {torch.__version__}"


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16; elsewhere it would be slower."""
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(known and known())
