"""Threads of numpy's and scipy's linear algebra that sleep when nothing is to do.

OpenBLAS starts its threads when it is imported. Each turns in a loop for hundredths of
a second then, and after every product: a core that the rest of a command could use.
Told so before numpy is imported they sleep at once; products take no longer.
"""

import os

# 2 to the power of 4 ticks of the processor's clock, the least that it takes
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
