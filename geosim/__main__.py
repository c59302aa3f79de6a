"""The command `geosim`, also as `python -m geosim`.

Loading what the command line is made of takes some tenths of a second; Ctrl-C ends
those too without a trace.
"""

import atexit
import os
import signal
import sys

_INTERRUPTED = 130


def main() -> None:
    """Entry point of the command."""
    signals = signal.SIGINT, signal.SIGTERM
    for number in signals:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    _open_streams()
    ending = _Ending()
    atexit.register(ending.leave)  # the first one is the last to be called
    from geosim.cli import main as run

    try:
        run()
    except SystemExit as error:
        ending.interrupted = error.code == _INTERRUPTED
        for number in signals if ending.interrupted else ():
            # a thread that hangs does not keep the process
            signal.signal(number, lambda *_: os._exit(_INTERRUPTED))
        for number in signals if not error.code else ():
            signal.signal(number, signal.SIG_IGN)  # all is done
        raise


def _open_streams() -> None:
    """Give closed streams a place to go.

    The next file that is opened would else be where libraries write their remarks.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w+", encoding="utf-8"))  # noqa: SIM115, PTH123


class _Ending:
    """The exit code of an interruption, whatever Python makes of it.

    Where Ctrl-C meets a module that is loading, Python ends the process by a signal,
    although the interruption was dealt with.
    """

    interrupted = False

    def leave(self) -> None:
        """Leave with the right exit code."""
        if self.interrupted:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(_INTERRUPTED)


def _leave(number: int, frame: object) -> None:
    """Ctrl-C or SIGTERM before the work began, for which `refusing` has its own.

    Where it has ended there is nothing left to interrupt.
    """
    del number, frame
    refusing = sys.modules.get("geosim.commands.refusing")
    if refusing is not None and refusing.DONE.is_set():
        return
    os.write(2, b"interrupted: nothing was written\n")
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
