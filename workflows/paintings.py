"""States of a picture: each laid over the first and compared, as for a restoration.

Here the states are made: the picture photographed askew, then with a part repainted.
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from geosim import CompareOptions, compare_images
from geosim.images.models import open_model

SAMPLE = Path(__file__).parent.parent / "sample_data"

first = Image.open(SAMPLE / "1990.tif").convert("RGB").crop((0, 0, 420, 360))
askew = first.rotate(-6, Image.Resampling.BICUBIC, expand=True).resize((520, 470))
repainted = np.array(askew)
repainted[200:250, 220:290] = repainted[90:140, 300:370]
states = {"askew": askew, "repainted": Image.fromarray(repainted)}

folder = Path(tempfile.mkdtemp())
model = open_model("siamese")  # once for all states
options = CompareOptions(align="register")
for name, state in states.items():
    result = compare_images(first, state, folder / name, options, model=model)
    print(f"{name}: similarity {result.similarity:.3f}; {result.alignment.said}")
    for level in ("low", "mid", "high", "combined"):
        values = getattr(result.differences, level)
        row, col = np.unravel_index(np.nanargmax(values), values.shape)
        print(f"  {level:8} most {np.nanmax(values):.2f} at column {col}, row {row}")
    print(f"  see {result.paths['sheet']}")
