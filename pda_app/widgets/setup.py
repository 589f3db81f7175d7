"""Makes fonts and widgets known to Kivy, once per process."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from kivy.clock import Clock
from kivy.core.text import LabelBase
from kivy.lang import Builder

FONTS = Path(__file__).resolve().parent.parent / "fonts"
LAYOUT_PASSES = 400  # nested rows settle from the inside outwards, all before the next frame
KV = ("base", "page", "header", "check", "lists", "infusion", "entry", "overlays", "alarm")
MODULES = ("context", "items", "curve", "trend", "camera", *KV)


@cache
def load_widgets() -> None:
    """Register the fonts and read the kv file of every widget module."""
    for name, file in (
        ("Wardlink", "NotoSansSC-Regular.otf"),
        ("WardlinkBold", "NotoSansSC-Bold.otf"),
        ("WardlinkIcons", "MaterialDesignIcons.ttf"),
    ):
        LabelBase.register(name, str(FONTS / file))
    for name in MODULES:  # importing a module tells Kivy its classes, which the rules below name
        import_module(f"pda_app.widgets.{name}")
    Clock.max_iteration = LAYOUT_PASSES
    for name in KV:
        load_kv(Path(__file__).with_name(f"{name}.kv"))


def load_kv(path: Path) -> None:
    """Read one kv file."""
    Builder.load_string(path.read_text(encoding="utf-8"), filename=str(path))
