"""Works a moment on every line, then rests, and writes down when that was."""

import os
import sys
import time
from pathlib import Path


def say(state):
    if os.environ.get("SIGNAL_HOW", "osc7501") == "osc7501":
        sys.stdout.write(f"\x1b]7501;state={state}:app=bench\x1b\\")


sys.stdout.write("ready\n> ")
say("idle")
sys.stdout.flush()
for _line in sys.stdin:
    say("working")
    for step in range(6):
        sys.stdout.write(f"working {step}\n")
        sys.stdout.flush()
        time.sleep(0.05)
    sys.stdout.write("> ")
    rested = time.time()
    say("idle")
    sys.stdout.flush()
    Path("done-at.new").write_text(repr(rested))
    Path("done-at.new").rename("done-at")
