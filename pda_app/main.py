"""The handheld with its window: the one place that knows every concrete adapter.

Presenters and window share one event loop. Whatever fails for good ends the process with its error: after
an exception no verdict may stay on the screen, and a supervisor (systemd, the Android service) starts anew.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from pda_app.adapters.battery import SysfsBattery
from pda_app.adapters.clock import SystemClock
from pda_app.adapters.http import HttpApi
from pda_app.adapters.local_store import EncryptedStore
from pda_app.adapters.scanner_camera import CameraSource
from pda_app.adapters.sound import NoSpeech, SystemSound, SystemSpeech
from pda_app.doctor.scans import PatientFinder
from pda_app.ports import Ports, ScanSource
from pda_app.presenters.app import App
from pda_app.settings import HandheldSettings

Role = Literal["nurse", "doctor"]


def ports(settings: HandheldSettings, scanners: list[ScanSource]) -> Ports:
    """The real adapters of one handheld."""
    return Ports(
        api=HttpApi(settings.server.url, settings.server.ca_file),
        store=EncryptedStore(settings.state_dir, settings.device_secret),
        clock=SystemClock(),
        sound=SystemSound(settings.state_dir / "sounds", enabled=settings.look.sound),
        speech=SystemSpeech() if settings.look.speech else NoSpeech(),
        battery=SysfsBattery(),
        scanners=scanners,
        camera=_camera(settings),
    )


def _camera(settings: HandheldSettings) -> CameraSource | None:
    wanted = settings.camera
    return CameraSource(wanted.source, width=wanted.width, height=wanted.height) if wanted.source else None


def run(settings: HandheldSettings, *, role: Role = "nurse", demo: bool = False) -> int:
    """Open the window and work until it is closed.

    Args:
        settings: This handheld.
        role: Whose app it is.
        demo: This is a Demo ward: show its band before the ward's own data say so, and keep the device
            secret beside the database.

    Returns:
        0 when the window was closed by a person.
    """
    from pda_app.kivy_environment import prepare

    prepare()
    if demo:
        settings = settings.model_copy(update={"demo": True})
    asyncio.run(_work(settings, role, demo=demo))
    return 0


async def _work(settings: HandheldSettings, role: Role, *, demo: bool) -> None:
    from kivy.core.window import Window

    from pda_app.widgets.application import HandheldApp
    from pda_app.widgets.wedge import WindowWedge

    wedge: ScanSource = WindowWedge(Window)
    scanner = PatientFinder(wedge, lambda: logic) if role == "doctor" else wedge
    outside = ports(settings, [scanner])
    logic = App(settings=settings, ports=outside)
    look = outside.camera.preview if outside.camera is not None else None
    window = HandheldApp(_make_root(role), logic, demo=demo, look=look)
    await logic.start()
    drawing = asyncio.create_task(window.async_run(async_lib="asyncio"))
    working = asyncio.create_task(logic.run())
    try:
        done, _ = await asyncio.wait({drawing, working}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # the failure of either is the failure of the process
    finally:
        working.cancel()
        window.stop()
        await asyncio.gather(drawing, working, return_exceptions=True)
        await logic.stop()


def _make_root(role: Role) -> type:
    if role == "doctor":
        from pda_app.doctor.window import DoctorWindow

        return DoctorWindow
    from pda_app.nurse.window import NurseWindow

    return NurseWindow
