"""A handheld's window: one page, and above it whatever lies over it.

From below: page, scan sheet, question, sign-in (first use or locked), alarm, toast. Everything shown comes
from presenter states; this module only decides which widgets exist and which presenter hears a touch. The
nurse's and the doctor's windows differ in their tables only.
"""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

from kivy.core.window import Window
from kivy.factory import Factory
from kivy.uix.floatlayout import FloatLayout

from pda_app.presenters.states import AlarmsState, AppState, Screen
from pda_app.widgets.context import th, tr
from pda_app.widgets.page import Act, Page
from pda_app.widgets.state import StateProperty

Look = Callable[[], Any]
LAYERS = ("page", "scan", "dialog", "sign_in", "alarm", "toast")


class HandheldWindow(FloatLayout):
    """Draws a presenters' ``App`` and tells it what was touched.

    Args:
        logic: The presenters' App: ``state``, ``subscribe`` and one attribute per presenter.
        demo: Show the demo band whatever the ward's data say.
        look: Gives the camera's newest picture (BGR array, or None).
    """

    role: ClassVar[str] = ""
    pages: ClassVar[Mapping[Screen, tuple[type[Page], str]]] = MappingProxyType({})
    """Screen → page class, and the presenter whose state it draws (none: the frame alone)."""
    acts: ClassVar[Mapping[str, Act]] = MappingProxyType({})
    """What the touches of the frame and of the overlays mean."""
    sign_in: ClassVar[type[Page]]
    overlays_alarms: ClassVar[bool] = True
    frame = StateProperty(AppState())
    alarms = StateProperty(AlarmsState())

    def __init__(self, logic: Any, *, demo: bool = False, look: Look | None = None, **kwargs: Any) -> None:
        th.role = self.role
        super().__init__(**kwargs)
        self.logic, self._demo, self._look = logic, demo, look
        self.layers = {name: FloatLayout() for name in LAYERS}
        for layer in self.layers.values():
            self.add_widget(layer)
        self._language = ""
        self._leave_page: Callable[[], object] = lambda: None
        self._leave_sign_in: Callable[[], object] = lambda: None
        self._ends = [
            logic.alarms.subscribe(self._take_alarms),
            logic.subscribe(self._take_frame),
        ]
        self.fbind("size", self._fit)
        self._fit()

    @property
    def page(self) -> Page | None:
        """The page that is shown, below whatever lies over it."""
        children = self.layers["page"].children
        return children[0] if children else None

    def close(self) -> None:
        """Stop listening to the presenters."""
        for end in (*self._ends, self._leave_page, self._leave_sign_in):
            end()

    # --- what is shown ---------------------------------------------------------------------------

    def _fit(self, *_: object) -> None:
        th.fit(*(self.size if self.width > 1 and self.height > 1 else Window.size))

    def _take_frame(self, state: AppState) -> None:
        th.dark, th.scale = state.dark, state.text_scale
        if self._language != state.language:
            self._language = state.language
            tr.use(state.language, self.logic.catalog().text)
        self._fit()
        if self._demo:
            state = replace(state, status=replace(state.status, demo=True))
        self.frame = state
        self._show_page(state)
        self._show_sign_in(state)
        self._lay("scan", "ScanOverlay", state.scan_sheet, look=self._look)
        self._lay("dialog", "DialogOverlay", state.dialog)
        self._lay("toast", "ToastLayer", state.toast)
        self._show_alarm()

    def _take_alarms(self, state: AlarmsState) -> None:
        self.alarms = state
        self._show_alarm()

    def _show_page(self, state: AppState) -> None:
        page, entry = self.page, self.pages.get(state.screen)
        if entry is not None and isinstance(page, entry[0]):
            page.frame = state
            return
        self._leave_page()
        self._leave_page = lambda: None
        self.layers["page"].clear_widgets()
        if entry is not None:
            self._leave_page = self._open("page", entry[0], entry[1], state)

    def _show_sign_in(self, state: AppState) -> None:
        wanted = state.locked or state.screen is Screen.SIGN_IN
        shown = self.layers["sign_in"].children
        if wanted and shown:
            shown[0].frame = state
        elif wanted:
            self._leave_sign_in = self._open("sign_in", self.sign_in, "sign_in", state)
        elif shown:
            self._leave_sign_in()
            self.layers["sign_in"].clear_widgets()

    def _open(self, layer: str, kind: type[Page], name: str, state: AppState) -> Callable[[], object]:
        presenter = getattr(self.logic, name) if name else None
        known = {"state": presenter.state} if presenter is not None else {}
        page = kind(frame=state, logic=self.logic, **known)
        self.layers[layer].add_widget(page)
        if presenter is None:
            return lambda: None
        end: Callable[[], object] = presenter.subscribe(lambda new: setattr(page, "state", new))
        return end

    def _show_alarm(self) -> None:
        shielded = self.frame.locked or self.frame.screen is Screen.SIGN_IN
        current = self.alarms.current if self.overlays_alarms and not shielded else None
        shown = self.layers["alarm"].children
        if current is None:
            self.layers["alarm"].clear_widgets()
        elif shown:
            shown[0].alarm, shown[0].item = current, self.alarms
        else:
            demo = self.frame.status.demo
            overlay = Factory.get("AlarmOverlay")(item=self.alarms, alarm=current, demo=demo)
            self.layers["alarm"].add_widget(overlay)

    def _lay(self, layer: str, make: str, item: Any, **more: Any) -> None:
        shown = self.layers[layer].children
        if item is None:
            self.layers[layer].clear_widgets()
        elif shown:
            shown[0].item = item
        else:
            self.layers[layer].add_widget(Factory.get(make)(item=item, **more))

    # --- what is touched -------------------------------------------------------------------------

    def on_touch_down(self, touch: Any) -> bool:
        """Every touch keeps the session awake."""
        self.logic.touch()
        return bool(super().on_touch_down(touch))

    def hear(self, act: str, key: str) -> bool:
        """Act on a touch of the frame or of an overlay; the rest belongs to the page."""
        if self.page is not None and self.page.hear(act, key):
            return True
        if act not in self.acts:
            return False
        self.acts[act](self.logic, key)
        return True
