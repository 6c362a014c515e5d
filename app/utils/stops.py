"""A client's stop sequences, looked for where the target cannot: in what of its text is shown. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.utils.shapes import as_list


class Stops:
    """Lets text through up to the first stop sequence; holds back what may be the beginning of one."""

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = [sequence for sequence in sequences if sequence]
        self._longest = max(map(len, self._sequences), default=0)
        self._held = ""
        self.found: str | None = None
        """The sequence at which the text ended."""

    def feed(self, text: str) -> str:
        """What of the text may be shown; nothing after the end."""
        if not self._sequences:
            return text
        if self.found is not None:
            return ""
        text = self._held + text
        places = [(place, stop) for stop in self._sequences if (place := text.find(stop)) >= 0]
        if places:
            place, self.found = min(places)
            self._held = ""
            return text[:place]
        certain = self._certain(text)
        self._held = text[certain:]
        return text[:certain]

    def close(self) -> str:
        """What was held back, where no sequence came of it."""
        held, self._held = self._held, ""
        return held

    def _certain(self, text: str) -> int:
        for place in range(max(0, len(text) - self._longest + 1), len(text)):
            if any(stop.startswith(text[place:]) for stop in self._sequences):
                return place
        return len(text)


def stops_in(value: object) -> list[str]:
    """Chat's `stop`: a text, a list of some, or nothing."""
    found = [value] if isinstance(value, str) else as_list(value)
    return [stop for stop in found if isinstance(stop, str) and stop]
