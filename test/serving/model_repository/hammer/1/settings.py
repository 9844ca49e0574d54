"""What HAMMERLINE_SCRIPT, a JSON file, says; read again whenever it has changed. Each part is optional.

slots        requests that are answered at once; the others wait in a line
service_ms   how long an answer takes once it has a slot
first_share  the part of that before the first piece of the answer
pieces       in how many responses it is sent
loras        names of the adapters that it has
loading      true: the model is not loaded before this is false
fault        {"kind", "after", "times"}: what becomes of the next `times` answers, after `after` pieces:
             "hang" says nothing more, but can be cancelled; "die" ends the process; "error" fails the request
"""

import json
import os

DEFAULTS = {
    "slots": 4,
    "service_ms": 20,
    "first_share": 0.25,
    "pieces": 4,
    "loras": [],
    "loading": False,
    "fault": None,
}


class Settings:
    def __init__(self):
        self.file = os.environ["HAMMERLINE_SCRIPT"]
        self.seen = None
        self.values = DEFAULTS
        self.refresh()

    def __getattr__(self, name):
        return self.values[name]

    def refresh(self):
        """The file is replaced as a whole; its inode alone may come again."""
        status = os.stat(self.file)
        if (version := (status.st_ino, status.st_mtime_ns)) == self.seen:
            return
        with open(self.file) as file:
            values = json.load(file)
        if unknown := set(values) - set(DEFAULTS):
            raise ValueError(f"{self.file} has no part {', '.join(sorted(unknown))}")
        self.seen, self.values = version, DEFAULTS | values

    def take_fault(self):
        """The fault of the answer that begins now, if it has one."""
        if not self.fault or self.fault["times"] == 0:
            return None
        self.fault["times"] -= 1
        return self.fault
