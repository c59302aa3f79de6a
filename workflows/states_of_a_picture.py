"""A dozen lines: later states of a picture, each laid over the first and compared.

Here the states are made: the picture photographed askew, then with a part repainted.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from geosim import CompareOptions, compare_images

SAMPLE = Path(__file__).parent.parent / "sample_data"

first = Image.open(SAMPLE / "1990.tif").convert("RGB").crop((0, 0, 420, 360))
askew = first.rotate(-6, Image.Resampling.BICUBIC, expand=True).resize((520, 470))
repainted = np.array(askew)
repainted[200:250, 220:290] = repainted[90:140, 300:370]
states = {"askew": askew, "repainted": Image.fromarray(repainted)}

options = CompareOptions(overwrite=True)
for name, state in states.items():
    result = compare_images(first, state, f"states/{name}", options)
    most = np.nanmax(result.differences.combined)
    print(f"{name}: similarity {result.similarity:.3f}, largest difference {most:.2f}")
    print(f"  {result.alignment.said}; see {result.paths['sheet']}")
