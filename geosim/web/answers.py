"""What the API answers, as OpenAPI describes it."""

from typing import Literal

from pydantic import BaseModel, Field


class Refusal(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="What was wanted, what was found, what to do.")


class ModelAnswer(BaseModel):
    """A model that compares pictures."""

    name: str = Field(description="What `model` of POST /compare takes.")
    available: bool = Field(description="Whether its weights are on this machine.")
    reason: str | None = Field(description="Why not, and what to do.")


class PreviewAnswer(BaseModel):
    """A small picture of a file."""

    image: str = Field(description="JPEG, base64.")
    width: int = Field(description="Of the file, in pixels.")
    height: int = Field(description="Of the file, in pixels.")
    georeferenced: bool = Field(description="Whether it has a place on the ground.")


class CompareAnswer(BaseModel):
    """How alike two pictures are, and where they differ."""

    similarity_score: float = Field(description="0 unrelated .. 1 the same.")
    heatmap_image: str = Field(
        description="PNG, base64: blue the same, yellow and red different, grey where "
        "only one picture shows anything; in the frame of image1."
    )
    model: str = Field(description="What compared.")
    cosine: float = Field(description="-1..1, of the model's embeddings.")
    euclidean: float = Field(description="0..2, distance of the embeddings.")
    ssim: float = Field(description="-1..1, structural similarity.")
    difference_mean: float = Field(description="0..1, mean of the heatmap.")
    alignment: str = Field(description="How image2 was laid over image1.")
    explanation: list[str] = Field(description="All this in plain words.")
    notes: list[str] = Field(description="What was done when the files were read.")
    width: int = Field(description="Of the three pictures, in pixels.")
    height: int = Field(description="Of the three pictures, in pixels.")
    first_image: str = Field(description="JPEG, base64: image1 as compared.")
    second_image: str = Field(description="JPEG, base64: image2 in image1's frame.")


class Polygon(BaseModel):
    """A change, in pixels of the grid."""

    id: int = Field(description="Of the polygon in changes.gpkg.")
    area_px: int = Field(description="Pixels.")
    area_ha: float | None = Field(None, description="Hectares on the ellipsoid.")
    kind: str = Field(alias="class", description="Of change, such as forest_loss.")
    class_label: str = Field(description="The same in words.")
    probability: float = Field(description="0..1, mean.")
    bounds: list[float] = Field(description="left, top, right, bottom.")
    path: str = Field(description="Outline as the path of an SVG.")


class MapAnswer(BaseModel):
    """What a change map shows."""

    width: int = Field(description="Of the grid, in pixels.")
    height: int = Field(description="Of the grid, in pixels.")
    crs: str | None = Field(description="Such as EPSG:32633.")
    changed_ha: float | None = Field(description="Hectares; null without a CRS.")
    changed_px: int = Field(description="Pixels that changed.")
    changed_percent: float = Field(description="Of the pixels with data.")
    notes: list[str] = Field(description="What a reader should know.")
    polygon_count: int = Field(description="All of them.")
    polygons: list[Polygon] = Field(description="The largest, largest first.")


class JobAnswer(BaseModel):
    """How far a change map is."""

    id: str = Field(description="Of the job.")
    state: Literal["waiting", "running", "done", "failed"] = Field(
        description="What it is at."
    )
    stage: str = Field(description="sampling, scoring, deciding or writing.")
    progress: float = Field(description="0..1.")
    error: str | None = Field(description="Why it failed.")
    result: MapAnswer | None = Field(None, description="When done.")
    files: dict[str, str] | None = Field(
        None, description="Name to address of each file, when done."
    )
    pictures: list[str] | None = Field(
        None, description="Addresses of both dates on one grid, when done."
    )
