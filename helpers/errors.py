"""One kind of error for the reader: a sentence that says what is wrong, where, and the remedy."""

import traceback


class CourseError(ValueError):
    """A mistake that the reader can mend. Shown in a notebook as their own line and one sentence."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of the whole stack: the reader's line, then the sentence."""
        frames = traceback.extract_tb(self.__traceback__)
        own = [f for f in frames if "ipykernel" in f.filename or f.filename.startswith("<ipython")]
        where = [f"In your cell, line {own[-1].lineno}:  {own[-1].line}", ""] if own else []
        return [*where, f"{type(self).__name__}: {self}"]
