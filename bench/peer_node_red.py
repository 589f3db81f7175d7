"""Node-RED as a peer: MQTT in, rows gathered for 100 ms, one SQLite transaction a batch."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from bench.path_load import MESSAGES
from bench.peer import Peer, Started, process_of
from broker.local import free_ports
from broker.topics import ROOT as TOPICS
from clinical.errors import UnavailableError

_SETTLE_S, _READY_S = 4.0, 60.0


_GATHER = """
const q = context.get('q') || [];
const m = msg.payload;
const [name, kind] = [msg.topic.split('/')[2], msg.topic.split('/')[4]];
if (kind === 'readings') {
  const r = JSON.parse(m.toString());
  if (r.v !== 1 || r.node !== name || !Array.isArray(r.values)) return null;
  q.push(`('${r.id}','${r.device}','${r.effective}','${JSON.stringify(r.values)}',NULL)`);
} else {
  q.push(`('${name}-${context.get('n') || 0}','','','',x'${m.toString('hex')}')`);
  context.set('n', (context.get('n') || 0) + 1);
}
context.set('q', q);
return null;
"""
_EVERY_100_MS = """
const h = setInterval(() => {
  const q = context.get('q') || [];
  if (!q.length) return;
  context.set('q', []);
  node.send({topic: 'begin; insert or ignore into v values ' + q.join(',') + '; commit;'});
}, 100);
context.set('h', 0);
"""


def _find_node_red(peers: Path) -> list[str] | None:
    node, red = shutil.which("node"), peers / "node_modules" / "node-red" / "red.js"
    ready = node and red.exists() and (peers / "node_modules" / "node-red-node-sqlite").exists()
    return [str(node), str(red.resolve())] if ready else None


def _flow(home: Path, port: int) -> list[dict[str, Any]]:
    wire = {
        "id": "broker",
        "type": "mqtt-broker",
        "broker": "127.0.0.1",
        "port": str(port),
        "clientid": "nodered",
    }
    common: dict[str, Any] = {
        "type": "mqtt in",
        "z": "tab",
        "qos": "1",
        "datatype": "buffer",
        "broker": "broker",
    }
    return [
        {"id": "tab", "type": "tab", "label": "bench"},
        wire | {"autoConnect": True, "protocolVersion": "5", "keepalive": "60", "cleansession": True},
        {"id": "db", "type": "sqlitedb", "db": str(home / "peer.db"), "mode": "RWC"},
        common | {"id": "r", "topic": f"{TOPICS}/+/up/readings", "wires": [["gather"]]},
        common | {"id": "w", "topic": f"{TOPICS}/+/up/waves", "wires": [["gather"]]},
        {"id": "gather", "type": "function", "z": "tab", "func": _GATHER, "outputs": 1,
         "initialize": _EVERY_100_MS, "finalize": "", "libs": [], "wires": [["store"]]},
        {"id": "store", "type": "sqlite", "z": "tab", "mydb": "db", "sqlquery": "batch", "sql": "",
         "wires": [[]]},
    ]  # fmt: skip


def _start_node_red(command: list[str], home: Path, port: int, stack: ExitStack) -> Started:
    database = sqlite3.connect(home / "peer.db")
    with closing(database):
        database.execute("pragma journal_mode=wal")
        database.execute("create table v(id text primary key, device text, at text, vals text, wave blob)")
        database.commit()
    (home / "flows.json").write_text(json.dumps(_flow(home, port)))
    modules = Path(command[1]).parents[1]
    (home / "settings.js").write_text(
        f"module.exports={{flowFile:'flows.json',uiPort:{free_ports(1)[0]},uiHost:'127.0.0.1',"
        f"httpAdminRoot:false,httpNodeRoot:false,userDir:'{home}',nodesDir:'{modules}',"
        "credentialSecret:false,logging:{console:{level:'info'}}}"
    )
    process = process_of([*command, "-s", str(home / "settings.js"), "-u", str(home)], home, stack)
    _ready(home, "Connected to broker")
    time.sleep(_SETTLE_S)

    def count() -> int:
        with closing(sqlite3.connect(home / "peer.db", timeout=30)) as reading:
            return int(reading.execute("select count(*) from v").fetchone()[0])

    return process, count


def _ready(home: Path, word: str) -> None:
    deadline = time.time() + _READY_S
    while word not in (home / "peer.log").read_text(errors="replace"):
        if time.time() > deadline:
            raise UnavailableError(
                "bench-peer", f"the peer did not start: {(home / 'peer.log').read_text()[-500:]}"
            )
        time.sleep(0.2)


NODE_RED = Peer(
    "node-red", "npm install node-red node-red-node-sqlite", MESSAGES, _find_node_red, _start_node_red
)
