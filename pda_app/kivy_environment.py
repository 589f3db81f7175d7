"""What has to be settled before Kivy is imported for the first time.

Kivy reads its environment and makes its window at import, so this is the only module that may set these
variables, and :func:`prepare` must run before anything else of :mod:`kivy` is imported.
"""

from __future__ import annotations

import os
import sys


def prepare(*, width: int = 480, height: int = 800) -> None:
    """Set Kivy up for a handheld: our arguments and logs stay ours, nothing is read from a home directory.

    Args:
        width: Window width in pixels.
        height: Window height in pixels.

    Raises:
        RuntimeError: Kivy is already imported with other settings; a programming error.
    """
    if "kivy.core.window" in sys.modules:
        message = "the Kivy environment must be prepared before the window is imported"
        raise RuntimeError(message)
    os.environ.setdefault("KIVY_NO_ARGS", "1")  # otherwise Kivy eats the command line
    os.environ["KIVY_LOG_MODE"] = "PYTHON"  # ordinary logging; a crash keeps its traceback on stderr
    os.environ["KIVY_NO_FILELOG"] = "1"
    os.environ["KIVY_NO_CONFIG"] = "1"
    from kivy.config import Config

    Config.set("graphics", "width", str(width))
    Config.set("graphics", "height", str(height))
    Config.set("graphics", "multisamples", "4")
    Config.set("kivy", "exit_on_escape", "0")
    Config.set("input", "mouse", "mouse,disable_multitouch")
