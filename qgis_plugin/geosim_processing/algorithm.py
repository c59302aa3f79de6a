"""A command of geosim as an algorithm of QGIS."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
)
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtGui import QIcon

from geosim_processing import provider
from geosim_processing.definitions import output, parameter
from geosim_processing.helptext import help_text
from geosim_processing.loading import Group, load_on_completion
from geosim_processing.locating import CommandNotFoundError, clean_environment
from geosim_processing.reading import read_values
from geosim_processing.running import Ended, Step, partial_of, refusal, remove, run
from geosim_processing.spec import LOAD, OUTPUT, OVERWRITE, RESUME, arguments, percent

if TYPE_CHECKING:
    from geosim_processing.spec import Command

_OLD_BATCH = "BatchFeedback"
"""Class of QGIS 3.22's batch dialog, which fails at the end where there are pages."""

HELP = Path(__file__).parent / "help" / "index.html"


class GeosimAlgorithm(QgsProcessingAlgorithm):
    """Runs one command in a process of its own."""

    def __init__(self, command: Command) -> None:
        super().__init__()
        self.command = command
        self.values: dict[str, Any] = {}

    def createInstance(self) -> GeosimAlgorithm:  # noqa: N802
        """A new one for each run."""
        return GeosimAlgorithm(self.command)

    def name(self) -> str:
        """Second part of `geosim:change`."""
        return self.command.name

    def displayName(self) -> str:  # noqa: N802
        """What the toolbox says."""
        return self.command.title

    def tags(self) -> list[str]:
        """What the toolbox also finds it by."""
        return ["geosim", *self.command.tags]

    def icon(self) -> QIcon:
        """The provider's."""
        return QIcon(str(provider.ICON))

    def svgIconPath(self) -> str:  # noqa: N802
        """The same in models."""
        return str(provider.ICON)

    def shortHelpString(self) -> str:  # noqa: N802
        """What stands beside the dialog."""
        return help_text(self.command)

    def helpUrl(self) -> str:  # noqa: N802
        """The page behind the dialog's button."""
        return QUrl.fromLocalFile(str(HELP)).toString() + f"#{self.command.name}"

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: ANN401, N802
        """Declare parameters and outputs."""
        del configuration
        for one in self.command.parameters:
            self.addParameter(parameter(one))
        for other in self.command.outputs:
            self.addOutput(output(other))

    def canExecute(self) -> tuple[bool, str]:  # noqa: N802
        """Whether the command is there, and what to do if not."""
        try:
            provider.command()
        except CommandNotFoundError as error:
            return False, str(error)
        return True, ""

    def prepareAlgorithm(  # noqa: N802
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Read the parameters in the thread that the layers belong to."""
        del feedback
        self.values = read_values(self, self.command, parameters, context)
        # what comes next, and the project, may look from another folder
        self.values[OUTPUT] = str(Path(self.values[OUTPUT]).absolute())
        return True

    def processAlgorithm(  # noqa: N802
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Run the command; what it wrote comes back."""
        place = str(self.values[OUTPUT])
        partial = partial_of(place)
        mine = not partial.exists() or bool(self.values.get(OVERWRITE))
        record = Path(place) / self.command.record
        old = _written(record)
        ended = self._run(feedback)
        if ended.cancelled:
            if mine and not self.values.get(RESUME):
                remove(partial)
                feedback.pushInfo("cancelled: nothing is left of this run")
            return {}
        if ended.code and _written(record) == old:
            raise QgsProcessingException(refusal(ended, self.command.name))
        if ended.code:
            feedback.reportError(refusal(ended, self.command.name))
        feedback.setProgress(100)
        del parameters
        found = self._results(Path(place), context)
        if type(feedback).__name__ == _OLD_BATCH:
            pages = {one.name for one in self.command.outputs if one.kind == "html"}
            return {name: found[name] for name in found if name not in pages}
        return found

    def _run(self, feedback: QgsProcessingFeedback) -> Ended:
        """Run the command to its end, telling how far it is."""
        try:
            program = provider.command()
            line = [*program, *arguments(self.command, self.values)]
            feedback.pushCommandInfo(shlex.join(line))
            return run(
                line,
                clean_environment(os.environ, program[0]),
                told=_Told(feedback),
                progressed=_Progressed(feedback, self.command),
                cancelled=feedback.isCanceled,
            )
        except (CommandNotFoundError, ValueError) as error:
            raise QgsProcessingException(str(error)) from error
        except OSError as error:
            raise QgsProcessingException(
                f"'{program[0]}' cannot be started: {error.strerror}"
            ) from error

    def _results(self, place: Path, context: QgsProcessingContext) -> dict[str, Any]:
        """Outputs by name; those that were not written are left out."""
        found: dict[str, Any] = {OUTPUT: str(place)}
        group = Group(self._title(place))
        for rank, one in enumerate(self.command.outputs):
            name, mark, layer = one.place.partition("|")
            path = place / name
            if not path.exists():
                continue
            if one.kind == "number":
                value = _number(path, one.keys)
                if value is not None:
                    found[one.name] = value
                continue
            source = f"{path}{mark}{layer}"
            found[one.name] = source
            if one.load and self.values.get(LOAD):
                load_on_completion(context, one, source, rank, group)
        return found

    def _title(self, place: Path) -> str:
        """What the legend calls the run: by its folder, unless that is temporary."""
        name = self.command.name if place.name == OUTPUT else place.name
        return f"geosim: {name}"


class _Told:
    """Passes lines on to QGIS's log."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self.feedback = feedback

    def __call__(self, line: str, err: bool) -> None:  # noqa: FBT001
        if err and line.startswith("note: "):
            self.feedback.pushWarning(line)
        elif err:
            self.feedback.pushInfo(line)
        else:  # a table
            self.feedback.pushConsoleInfo(line)


class _Progressed:
    """Passes progress on; it never goes back."""

    def __init__(self, feedback: QgsProcessingFeedback, command: Command) -> None:
        self.feedback, self.command = feedback, command
        self.stage, self.percent = "", 0.0

    def __call__(self, step: Step) -> None:
        if step.stage != self.stage:
            self.stage = step.stage
            self.feedback.setProgressText(step.stage)
        found = percent(self.command, step.stage, step.share)
        self.percent = max(self.percent, found)
        self.feedback.setProgress(self.percent)


def _written(path: Path) -> int | None:
    """When a file was written; None where there is none."""
    return path.stat().st_mtime_ns if path.is_file() else None


def _number(path: Path, keys: tuple[str, ...]) -> float | None:
    """A number in a JSON file; None where there is none."""
    value = json.loads(path.read_text(encoding="utf-8"))
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return float(value) if isinstance(value, (int, float)) else None
