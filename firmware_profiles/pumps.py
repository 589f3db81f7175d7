"""What may be said to an infusion pump: these questions and nothing else.

A profile of kind ``pump`` may only send bytes that stand here, so a new file alone can never make a node
drive a pump: a question must pass a review of this program first. None of them has an argument, and none
starts, stops, sets, clears or unlocks anything.
"""

from __future__ import annotations

PUMP_QUERIES: frozenset[bytes] = frozenset(
    (
        # Alaris Asena: state of the infusion; mdpnp/mdpnp Asena.java, constant INFSTATUS.
        b"!INF|4961\r",
        # Baxter AS50: primary rate and status; mdpnp/mdpnp AS50.java, PRIRATE_QRY_BYTES, STATUS_QRY_BYTES.
        b"[PRIRATE?]\x34\x44",
        b"[STATUS?]\xc3\x4b",
        # New Era NE-1000 in basic mode: volume dispensed, pumping rate, state; nesp-lib-py pump.py.
        b"0DIS\r",
        b"0RAT\r",
        b"0\r",
    )
)
