"""Top and bottom of the screens: app bar, demo band, patient banner, allergy strip, navigation, filters."""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from pda_app.presenters.states import StatusBar
from pda_app.widgets.base import Touch
from pda_app.widgets.state import StateProperty

__all__ = ["AppBar", "BottomNav", "DemoBand"]


class AppBar(BoxLayout):
    """Back or switch user, title, ward and user, then connection, battery and time."""

    title = StringProperty("")
    back = BooleanProperty(False)
    status = StateProperty(StatusBar())


class Gap(Widget):
    """A little air."""

    dp_ = NumericProperty(4)


class DemoBand(AnchorLayout):
    """Says that nobody here is real; on every screen of a demo ward."""

    shown = BooleanProperty(False)


class ClockStrip(BoxLayout):
    """Says that the handheld's clock is wrong, or that the server has a fault; empty when all is well."""

    text = StringProperty("")


class PatientHeader(BoxLayout):
    """Who this is about; nothing of it is ever shortened."""

    item = StateProperty(None)


class Allergies(BoxLayout):
    """Known, none or not recorded; below the banner, never scrolled."""

    item = StateProperty(None)


class NavItem(Touch):
    """One place of the bottom navigation."""

    icon = StringProperty("")
    text = StringProperty("")
    chosen = BooleanProperty(False)
    absent = BooleanProperty(False)
    count = NumericProperty(0)


class ScanKey(Touch):
    """The scan button in the middle."""


class BottomNav(BoxLayout):
    """Today, ward, scan, alarms, more."""

    screen = StringProperty("")
    status = StateProperty(StatusBar())


class FilterTab(Touch):
    """A counter that is also a filter."""

    item = StateProperty(None)
    ink = StringProperty("brand_ink")


class FilterBar(BoxLayout):
    """The counters at the top of a list."""

    items = StateProperty(())
