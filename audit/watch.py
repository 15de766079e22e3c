"""What a person sees while an audit runs: progress bars, or plain lines without a terminal.

Everything goes to stderr, so that stdout carries results only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from audit.failures import clean
from biometrics.progress import Advance, Expect, silent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, Task
    from rich.text import Text


class Step:
    """One running step."""

    def __init__(self, advance: Advance = silent, expect: Expect = silent) -> None:
        self._advance, self._expect = advance, expect

    def __call__(self, finished: int) -> None:
        """Say how many items were just finished."""
        self._advance(finished)

    def expect(self, total: int) -> None:
        """Say how many items there are, where that was not known at the start."""
        self._expect(total)


class Watch:
    """Reports long steps on a console.

    Args:
        console: where to; None for nowhere.
    """

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._bars: Progress | None = None
        self._running = 0

    @classmethod
    def on_stderr(cls) -> Watch:
        """One for a person: bars where stderr is a terminal, plain lines elsewhere."""
        from rich.console import Console

        return cls(Console(stderr=True, highlight=False))

    @classmethod
    def quiet(cls) -> Watch:
        """One that reports nothing."""
        return cls(None)

    @contextmanager
    def task(
        self, description: str, total: int | None = None, *, in_bytes: bool = False
    ) -> Iterator[Step]:
        """Watch one step; steps may lie within each other.

        Args:
            description: a few words, such as ``embed 2,400 faces with dlib``.
            total: the number of items, or None where it is not known.
            in_bytes: the items are bytes.

        Yields:
            What to call with the number of items just finished.
        """
        if self._console is None:
            yield Step()
            return
        start, description = time.perf_counter(), clean(description)  # files' names are in it
        with self._bar(description, total, in_bytes) as step:
            yield step
        # Only reached where the step succeeded: a failed one is told by its error.
        self.note(f"{description} ... {time.perf_counter() - start:.1f} s")

    def note(self, text: str) -> None:
        """Print one line."""
        if self._console is not None:
            self._console.print(clean(text), markup=False, emoji=False, soft_wrap=True)

    @contextmanager
    def _bar(self, description: str, total: int | None, in_bytes: bool) -> Iterator[Step]:
        assert self._console is not None
        if not self._console.is_terminal:
            yield Step()
            return
        from rich.markup import escape

        bars = self._started(self._console)
        bar = bars.add_task(escape(description), total=total, in_bytes=in_bytes)
        try:
            yield Step(
                advance=lambda finished: bars.advance(bar, finished),
                expect=lambda total: bars.update(bar, total=total),
            )
        finally:
            bars.remove_task(bar)
            self._running -= 1
            if self._running == 0:
                bars.stop()
                self._bars = None

    def _started(self, console: Console) -> Progress:
        """The live display that all running steps share."""
        if self._bars is None:
            from rich import progress

            class Count(progress.ProgressColumn):
                """How many of how many; of bytes as in ``1.2/5.0 MB``."""

                items, in_bytes = progress.MofNCompleteColumn(), progress.DownloadColumn()

                def render(self, task: Task) -> Text:
                    return (self.in_bytes if task.fields["in_bytes"] else self.items).render(task)

            self._bars = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(bar_width=24),
                Count(),
                progress.TimeRemainingColumn(compact=True),
                console=console,
                transient=True,
            )
            self._bars.start()
        self._running += 1
        return self._bars
