"""Where torch trains: processor or GPU, threads, precision."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from geosim.errors import OptionError
from geosim.machine.process_wide import Restored
from geosim.siamese.backend import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

_THREADS = Restored(torch.get_num_threads, torch.set_num_threads)


@contextmanager
def torch_threads(threads: int | None) -> Iterator[None]:
    """Let torch work with so many threads; the caller's number comes back.

    Not to be used within itself: the inner one would end the outer one's number.

    Args:
        threads: None: as many as it has.
    """
    if not threads:
        yield
        return
    with _THREADS.afterwards() as before:
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            # the number is that of the thread which sets it, and of those yet to start
            torch.set_num_threads(before)


@contextmanager
def use_device(device: str, threads: int | None) -> Iterator[None]:
    """Check that torch can train there and let it, with so many threads.

    Args:
        device: "cpu" or "cuda".
        threads: None: as many as torch has.

    Raises:
        OptionError: no GPU where one is asked for.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise OptionError(
            "--device cuda wants an NVIDIA GPU that torch can use; found none; leave "
            "--device out to train on the CPU"
        )
    with torch_threads(threads):
        yield


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
