"""A bare window that prints every scan as one JSON line: for the tests with a real X server.

``python -m tests.support.wedge_window STALL_MS`` blocks that long in each frame, as a busy screen would.
"""

from __future__ import annotations

import json
import sys
import time

from pda_app.kivy_environment import prepare
from pda_app.ports import Broken, Read


def tell(read: Read | Broken) -> None:
    """Print one scan."""
    text = {"broken": read.characters} if isinstance(read, Broken) else {"raw": read.symbology + read.raw}
    print(json.dumps(text), flush=True)


def main(stall_ms: float) -> None:
    """Open the window and run until the process is ended."""
    prepare(width=300, height=200)
    from kivy.app import App
    from kivy.clock import Clock
    from kivy.core.window import Window
    from kivy.uix.widget import Widget

    from pda_app.widgets.wedge import WindowWedge

    class Bare(App):
        def build(self) -> Widget:
            WindowWedge(Window).start(tell)
            Clock.schedule_interval(lambda _: time.sleep(stall_ms / 1000), 0)
            Clock.schedule_once(lambda _: print(json.dumps({"ready": True}), flush=True), 0.3)
            return Widget()

        def load_kv(self, *_: object, **__: object) -> bool:
            return True

    Bare().run()


if __name__ == "__main__":
    main(float(sys.argv[1]))
