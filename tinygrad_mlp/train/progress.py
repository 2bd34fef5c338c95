"""Showing how training goes: a bar on a terminal where rich is installed, plain lines otherwise; on stderr."""

import sys
import time
from types import TracebackType
from typing import Any, Self

from .history import History


class Silence:
    """Shows nothing."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def show(self, history: History) -> None:
        """Show the last epoch of a history."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""


class Lines(Silence):
    """One line for about every tenth of the epochs, and for one at least every ``WAIT`` seconds."""

    WAIT = 10.0

    def __init__(self, epochs: int) -> None:
        super().__init__(epochs)
        self.shown = time.monotonic()

    def show(self, history: History) -> None:
        """Print a line if it is the turn of this epoch."""
        number, every = history.epochs, max(self.epochs // 10, 1)
        late = time.monotonic() - self.shown >= self.WAIT
        if late or number == 1 or number % every == 0 or number == self.epochs:
            self.shown = time.monotonic()
            print(
                f"epoch {number:>{len(str(self.epochs))}}/{self.epochs}: {history.latest()}",
                file=sys.stderr,
                flush=True,
            )


class Bar(Silence):
    """A bar that rich draws.

    Args:
        epochs: How many epochs make it full.
        console: Where to draw; stderr by default.
    """

    def __init__(self, epochs: int, console: Any = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        super().__init__(epochs)
        console = console or Console(stderr=True)
        text = TextColumn("{task.fields[text]}")
        self.progress = Progress(MofNCompleteColumn(), BarColumn(10), TimeRemainingColumn(), text, console=console)
        self.task = self.progress.add_task("", total=epochs, text="")
        self.room = max(console.width - 21 - 2 * len(str(epochs)), 0)  # what the other columns leave of a line
        self.shown = 0.0
        self.history = History()

    def show(self, history: History) -> None:
        """Move the bar, at most 20 times a second."""
        self.history = history
        now = time.monotonic()
        if now - self.shown > 0.05:
            self.shown = now
            self._move()

    def _move(self) -> None:
        self.progress.update(self.task, completed=self.history.epochs, text=self.history.latest()[: self.room])

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._move()
        self.progress.stop()


def reporter(progress: bool, epochs: int) -> Silence:
    """Return what shows the progress: nothing, a bar, or lines where there is no terminal or no rich."""
    if not progress or sys.stderr is None:  # None: a program without a console
        return Silence(epochs)
    if sys.stderr.isatty():
        try:
            return Bar(epochs)
        except ImportError:
            pass
    return Lines(epochs)
