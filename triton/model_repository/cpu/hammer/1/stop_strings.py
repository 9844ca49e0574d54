class StopStrings:
    """Lets text through up to the first stop string; what may be the beginning of one waits for what follows."""

    def __init__(self, strings, include):
        self.strings = strings
        self.include = include
        self.pending = ""
        self.found = False

    def take(self, text):
        """The text that may go out now. `found` tells whether it is the last."""
        self.pending += text
        places = [(self.pending.find(stop), stop) for stop in self.strings]
        hits = [(place, stop) for place, stop in places if place >= 0]
        if hits:
            place, stop = min(hits)
            self.found = True
            end = place + (len(stop) if self.include else 0)
            out, self.pending = self.pending[:end], ""
            return out
        held = max((overlap(self.pending, stop) for stop in self.strings), default=0)
        out, self.pending = self.pending[: len(self.pending) - held], self.pending[len(self.pending) - held :]
        return out

    def rest(self):
        """What waited in vain: the answer ended otherwise."""
        out, self.pending = self.pending, ""
        return out


def overlap(text, stop):
    """How many characters at the end of the text are the beginning of the stop string."""
    most = min(len(text), len(stop) - 1)
    return next((size for size in range(most, 0, -1) if text.endswith(stop[:size])), 0)
