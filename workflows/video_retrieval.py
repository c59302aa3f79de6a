"""When does a video show this picture? Here a flight over the sample data, drawn first.

Straight-line: write a short video, index its frames, search it with a still of 2020.
Needs the extra `geosim[video]`.
"""

import tempfile
from pathlib import Path

import av
import numpy as np
from PIL import Image

from geosim import IndexOptions, SearchOptions, build_index, search_index

SAMPLE = Path(__file__).parent.parent / "sample_data"
SIDE, RATE, SECONDS = 320, 5, 12

work = Path(tempfile.mkdtemp())
before = np.array(Image.open(SAMPLE / "1990.tif").convert("RGB"))
after = np.array(Image.open(SAMPLE / "2020.tif").convert("RGB"))

# the flight: along a diagonal, from the upper left corner to the lower right one
with av.open(work / "flight.mp4", "w") as container:
    stream = container.add_stream("mpeg4", rate=RATE)
    stream.width = stream.height = SIDE
    stream.pix_fmt = "yuv420p"
    stream.bit_rate = 2_000_000
    for start in np.linspace(0, 1200 - SIDE, RATE * SECONDS).astype(int):
        shown = np.ascontiguousarray(before[start:, start:][:SIDE, :SIDE])
        container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, "rgb24")))
    container.mux(stream.encode(None))

made = build_index(work / "flight.mp4", work / "flight.index", IndexOptions(every=0.5))
print(f"{made.total} frames")

# a still of thirty years later, from the middle of the flight
still = Image.fromarray(after[440:760, 440:760])
still.save(work / "still.png")
options = SearchOptions(count=3)
found = search_index(
    work / "still.png", work / "flight.index", options, out=work / "found"
)
for hit in found.hits:
    print(f"{hit.rank}. {hit.score:.3f} at {hit.entry.time:.1f} s")
print(f"see {found.folder}/sheet.png")
