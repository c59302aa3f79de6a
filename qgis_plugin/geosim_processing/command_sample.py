"""The algorithms `geosim:sample` and `geosim:assess`."""

from __future__ import annotations

from geosim_processing.shared import FURTHER, REPLACING, folder
from geosim_processing.spec import OUTPUT, Command, Output, Parameter

SAMPLE = Command(
    name="sample",
    stages=(("counting", 40), ("drawing", 10), ("chips", 50)),
    title="Draw a sample for assessment",
    summary="Draws a stratified random sample from the result of 'Change between two "
    "dates' or 'Changes in a time series', as points with an empty attribute "
    "'reference'. Fill it in by looking at the images, then run 'Assess a sample'.",
    parameters=(
        Parameter(
            "RESULT",
            "Folder of the result",
            "folder",
            argument=True,
            help="What 'Change between two dates' or 'Changes in a time series' wrote.",
        ),
        Parameter("N", "Size of the sample", "integer", "--n", default=300, least=2),
        Parameter(
            "STRATA",
            "Strata",
            "choice",
            "--strata",
            default="change",
            choices=("change", "class"),
            help="Change and no change, or the classes of change.",
        ),
        Parameter(
            "BUFFER",
            "Pixels around changes that are a stratum of their own",
            "integer",
            "--buffer",
            default=0,
            least=0,
        ),
        Parameter(
            "ALLOCATION",
            "Allocation",
            "choice",
            "--allocation",
            default="rare",
            choices=("rare", "equal", "proportional", "neyman"),
            advanced=True,
            help="rare: enough for rare strata, the rest by size; equal; proportional "
            "to size; neyman: by size and spread.",
        ),
        Parameter(
            "LEAST",
            "Samples of a rare stratum",
            "integer",
            "--least",
            least=1,
            optional=True,
            advanced=True,
            help="Empty: 50 to 100, by the size of the sample.",
        ),
        Parameter(
            "TARGET_SE",
            "Standard error wanted of the overall accuracy",
            "number",
            "--target-se",
            least=0,
            most=1,
            optional=True,
            advanced=True,
            help="Such as 0.01; decides the size of the sample in place of the number.",
        ),
        Parameter(
            "EXPECT",
            "User's accuracies expected",
            "items",
            "--expect",
            optional=True,
            advanced=True,
            help="changed=0.7, no_change=0.95",
        ),
        Parameter(
            "SEED", "Seed", "integer", "--seed", default=0, least=0, advanced=True
        ),
        Parameter(
            "NO_CHIPS",
            "No pictures of the places",
            "switch",
            "--no-chips",
            default=False,
            advanced=True,
        ),
        REPLACING,
        FURTHER,
        Parameter(OUTPUT, "Sample", "output vector", "--out"),
    ),
    outputs=(),
    tags=("accuracy", "stratified", "Olofsson", "validation"),
)

ASSESS = Command(
    name="assess",
    title="Assess a sample",
    summary="Error matrix in area proportions, overall, user's and producer's accuracy "
    "and error-adjusted areas with their 95 % intervals (Olofsson et al. 2014), from a "
    "sample whose attribute 'reference' is filled in.",
    parameters=(
        Parameter(
            "SAMPLES",
            "Sample",
            "vector",
            argument=True,
            help="As 'Draw a sample for assessment' wrote it, edits saved.",
        ),
        Parameter(
            "PARTIAL",
            "Leave out samples without an answer",
            "switch",
            "--partial",
            default=False,
        ),
        Parameter(
            "ANSWERS",
            "File with the answers",
            "file",
            "--answers",
            optional=True,
            advanced=True,
            help="Such as AcATaMa's, with columns id and reference or label. Empty: "
            "those in the sample.",
        ),
        REPLACING,
        FURTHER,
        folder(),
    ),
    outputs=(
        Output("RECORD", "Assessment (JSON)", "file", "assessment.json"),
        Output("TABLE", "Assessment (CSV)", "file", "assessment.csv"),
        Output("REPORT", "Assessment", "html", "assessment.html"),
        Output(
            "OVERALL_ACCURACY",
            "Overall accuracy, 0..1",
            "number",
            "assessment.json",
            ("overall_accuracy", "value"),
        ),
        Output(
            "OVERALL_ACCURACY_SE",
            "Its standard error",
            "number",
            "assessment.json",
            ("overall_accuracy", "standard_error"),
        ),
    ),
    tags=("accuracy", "area estimation", "error matrix", "Olofsson"),
)
