"""The tables, once, for SQLite and PostgreSQL alike.

Facts travel and rest as whole records (``facts``: the newest, ``fact_history``: every version ever,
append-only); what is searched by the million (samples, waves) or must be unique by itself (events,
leases, sessions, intervals) has its own table. Times are integer microseconds (:class:`Instant`).
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from server.storage.columns import Counter, Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

meta = Table(
    "meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False)
)

facts = Table(
    "facts",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("seq", Counter, nullable=False),
    Column("ward", String(64), nullable=False),
    Column("patient_id", String(200), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("changed", Instant, nullable=False),
    Column("at", Instant),  # when what it tells happened, as charted; none where it tells of no moment
    Column("body", Text, nullable=False),
    Index("ix_facts_active", "active"),
    Index("ix_facts_patient", "patient_id", "kind", "at"),
)

fact_history = Table(
    "fact_history",
    metadata,
    Column("n", Counter, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("id", String(200), nullable=False),
    Column("seq", Counter, nullable=False),
    Column("recorded", Instant, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_fact_history_record", "kind", "id", "n"),
)

fact_removals = Table(
    "fact_removals",
    metadata,
    Column("ward", String(64), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("seq", Counter, nullable=False),
)

mappings = Table(
    "mappings",
    metadata,
    Column("system", String(64), primary_key=True),
    Column("code", String(200), primary_key=True),
    Column("target", String(200), nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", String(96), primary_key=True),
    Column("type", String(40), nullable=False),
    Column("at", Instant, nullable=False),
    Column("sent", Instant, nullable=False),
    Column("recorded", Instant, nullable=False),
    Column("operator", String(96), nullable=False),
    Column("uploaded_by", String(96), nullable=False),
    Column("handheld", String(96), nullable=False),
    Column("body", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Index("ix_events_type_at", "type", "at"),
)

quarantined_events = Table(
    "quarantined_events",
    metadata,
    Column("n", Counter, primary_key=True, autoincrement=True),
    Column("recorded", Instant, nullable=False),
    Column("uploaded_by", String(96), nullable=False),
    Column("reason", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("settled", Instant),
    Column("settled_as", String(16), nullable=False, server_default=""),  # taken, closed; empty: it waits
)

evaluations = Table(
    "evaluations",
    metadata,
    Column("id", String(96), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("operator", String(96), nullable=False),
    Column("handheld", String(96), nullable=False),
    Column("action", String(40), nullable=False),
    Column("word", String(8), nullable=False),
    Column("verdict", String(8), nullable=False),
    Column("codes", Text, nullable=False),
    Column("patient_id", String(200), nullable=False),
    Column("task_id", String(200), nullable=False),
    Column("side", String(16), nullable=False),  # server, handheld
    Column("body", Text, nullable=False),
    Index("ix_evaluations_word_at", "word", "at"),
    Index("ix_evaluations_patient_at", "patient_id", "at"),
)

leases = Table(
    "leases",
    metadata,
    Column("task_id", String(200), primary_key=True),
    Column("id", String(96), nullable=False),
    Column("operator", String(96), nullable=False),
    Column("handheld", String(96), nullable=False),
    Column("expires", Instant, nullable=False),
)

credentials = Table(
    "credentials",
    metadata,
    Column("practitioner_id", String(96), primary_key=True),
    Column("badge", String(96), nullable=False, unique=True),
    Column("pin_hash", Text, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("locked_until", Instant),
    Column("password_hash", Text, nullable=False, server_default=""),  # empty: none was set yet
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("id", String(64), nullable=False),
    Column("practitioner_id", String(96), nullable=False),
    Column("kind", String(8), nullable=False),  # bearer, web
    Column("handheld", String(96), nullable=False),
    Column("created", Instant, nullable=False),
    Column("expires", Instant, nullable=False),
    Column("ended", Instant),
    Column("used", Instant),  # when somebody last did something in it, to the minute
    Column("locked", Instant),  # since when it waits for PIN or password
    Column("ended_as", String(16), nullable=False, server_default=""),  # revoked, given-up; empty: signed out
    Index("ix_sessions_practitioner", "practitioner_id"),
)

one_time_codes = Table(
    "one_time_codes",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("practitioner_id", String(96), nullable=False),
    Column("expires", Instant, nullable=False),
    Column("used", Instant),
    Column("purpose", String(8), nullable=False, server_default="web"),  # web, pin
)

audit_anchors = Table(
    "audit_anchors",
    metadata,
    Column("day", String(10), primary_key=True),  # the ward's own day, which is over
    Column("n", Counter, nullable=False),  # the last line of the audit trail then
    Column("hash", String(64), nullable=False),
    Column("at", Instant, nullable=False),
)
"""Where the audit chain ended each day; the same line stands in a file and in the log."""

confirmations = Table(
    "confirmations",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("practitioner_id", String(96), nullable=False),  # who typed the PIN
    Column("operator", String(96), nullable=False),  # for whom
    Column("purpose", String(20), nullable=False),  # witness, prescriber, blind-calculation
    Column("question", String(64), nullable=False),  # digest of what was asked, see clinical.confirmation
    Column("codes", Text, nullable=False),  # findings that are accepted, comma separated
    Column("value", String(40), nullable=False),  # calculated blindly; empty otherwise
    Column("created", Instant, nullable=False),
    Column("expires", Instant, nullable=False),
    Column("used_by", String(96)),  # id of the event that used it up
    Index("ix_confirmations_expires", "expires"),
)

ward_grants = Table(
    "ward_grants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("practitioner_id", String(96), nullable=False),
    Column("ward", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("opened", Instant, nullable=False),
    Column("expires", Instant, nullable=False),
    Index("ix_ward_grants_practitioner", "practitioner_id", "expires"),
    Index("ix_ward_grants_ward", "ward", "opened"),
)
"""Break-glass: who opened another ward, why, until when."""

audit = Table(
    "audit",
    metadata,
    Column("n", Counter, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", String(96), nullable=False),
    Column("action", String(64), nullable=False),
    Column("entity", String(300), nullable=False),
    Column("patient_id", String(200), nullable=False),
    Column("outcome", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_audit_at", "at"),
)

samples = Table(
    "samples",
    metadata,
    Column("id", String(96), nullable=False),
    Column("device_id", String(96), nullable=False),
    Column("node", String(64), nullable=False),
    Column("outbox", String(96), nullable=False),
    Column("seq", Counter, nullable=False),
    Column("effective", Instant, nullable=False),
    Column("recorded", Instant, nullable=False),
    Column("encounter_id", String(200), nullable=False),  # empty while unassigned
    Column("unassigned", String(40), nullable=False),  # why it could not be filed; empty when filed
    Column("infusion_id", String(96), nullable=False),
    Column("generation", String(8), nullable=False),
    Column("clock", String(16), nullable=False),
    Column("uncertainty_ms", Integer, nullable=False),
    Column("layout", Integer, nullable=False),  # which values, in which order: sample_layouts
    Column("vals", LargeBinary, nullable=False),  # float64 side by side, NaN = none (server.storage.values)
    Column("validity", LargeBinary, nullable=False),  # one byte a value; empty = all valid
    Index("ix_samples_encounter", "encounter_id", "effective"),
    Index(
        "ix_samples_unassigned",
        "unassigned",
        "device_id",
        postgresql_where=text("unassigned <> ''"),
        sqlite_where=text("unassigned <> ''"),
    ),
    postgresql_partition_by="RANGE (effective)",
)
"""One row per device sample. No unique id: see :mod:`server.ingest.repeats`. Day partitions on PostgreSQL."""

sample_layouts = Table(
    "sample_layouts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("codes", Text, nullable=False, unique=True),  # JSON: [[code, unit], …] in the order of the values
)

rollups = Table(
    "rollups",
    metadata,
    Column("encounter_id", String(200), primary_key=True),
    Column("minute", Instant, primary_key=True),  # its beginning
    Column("device_id", String(96), primary_key=True),
    Column("layout", Integer, primary_key=True, autoincrement=False),
    Column("stats", LargeBinary, nullable=False),  # float32: lows, highs, means, counts of usable values
    Index("ix_rollups_minute", "minute"),
)

rollups_due = Table(
    "rollups_due",
    metadata,
    Column("encounter_id", String(200), primary_key=True),
    Column("minute", Instant, primary_key=True),
)
"""Minutes to be made again from their samples: something came late, or the server was away meanwhile."""

last_values = Table(
    "last_values",
    metadata,
    Column("patient_id", String(200), primary_key=True),
    Column("device_id", String(96), primary_key=True),
    Column("body", Text, nullable=False),  # JSON: samples, their values side by side (storage.last_values)
)
"""The newest value of each code of each patient: the facts of kind ``observations``, without history."""

device_hearers = Table(
    "device_hearers",
    metadata,
    Column("device_id", String(96), primary_key=True),
    Column("node", String(64), primary_key=True),
    Column("outbox", String(96), primary_key=True),
)
"""Who has sent samples of a device: only one that several have sent can be there twice."""

waves = Table(
    "waves",
    metadata,
    Column("id", String(96), nullable=False),
    Column("device_id", String(96), nullable=False),
    Column("node", String(64), nullable=False),
    Column("effective", Instant, nullable=False),
    Column("encounter_id", String(200), nullable=False),
    Column("unassigned", String(40), nullable=False),
    Column("code", String(64), nullable=False),
    Column("unit", String(24), nullable=False),
    Column("rate_hz", Float, nullable=False),
    Column("gain", Float, nullable=False),
    Column("base", Float, nullable=False),
    Column("generation", String(8), nullable=False),
    Column("samples", LargeBinary, nullable=False),
    Index("ix_waves_encounter", "encounter_id", "effective"),
    postgresql_partition_by="RANGE (effective)",
)

alarm_clips = Table(
    "alarm_clips",
    metadata,
    Column("alarm_id", String(96), primary_key=True),
    Column("code", String(64), primary_key=True),
    Column("effective", Instant, primary_key=True),
    Column("device_id", String(96), nullable=False),
    Column("unit", String(24), nullable=False),
    Column("rate_hz", Float, nullable=False),
    Column("gain", Float, nullable=False),
    Column("base", Float, nullable=False),
    Column("samples", LargeBinary, nullable=False),
)
"""Waves around the start of an alarm, copied out before their retention ends."""

node_events = Table(
    "node_events",
    metadata,
    Column("id", String(96), primary_key=True),
    Column("node", String(64), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("effective", Instant, nullable=False),
    Column("recorded", Instant, nullable=False),
    Column("body", Text, nullable=False),
)

nodes = Table(
    "nodes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("ward", String(64), nullable=False),
    Column("beds", Text, nullable=False),  # JSON list
    Column("since", Instant, nullable=False),
    Column("status", Text, nullable=False),  # JSON of the last Status; empty before the first
    Column("seen", Instant),
)

device_places = Table(
    "device_places",
    metadata,
    Column("device_id", String(96), primary_key=True),
    Column("ward", String(64), nullable=False),
    Column("bed", String(64), nullable=False),
)

ingest_intervals = Table(
    "ingest_intervals",
    metadata,
    Column("node", String(64), primary_key=True),
    Column("outbox", String(96), primary_key=True),
    Column("first", Counter, primary_key=True, autoincrement=False),
    Column("last", Counter, nullable=False),
)

ingest_quarantine = Table(
    "ingest_quarantine",
    metadata,
    Column("n", Counter, primary_key=True, autoincrement=True),
    Column("recorded", Instant, nullable=False),
    Column("topic", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("payload", LargeBinary, nullable=False),
    Column("settled", Instant),
    Column("settled_as", String(16), nullable=False, server_default=""),  # taken, closed; empty: it waits
)

alarm_sources = Table(
    "alarm_sources",
    metadata,
    Column("alarm_id", String(96), primary_key=True),
    Column("source", String(64), primary_key=True),  # a node, or "server"
    Column("source_alarm_id", String(96), nullable=False),
    Column("present", Boolean, nullable=False),
    Column("effective", Instant, nullable=False),
)

hl7_messages = Table(
    "hl7_messages",
    metadata,
    Column("n", Counter, primary_key=True, autoincrement=True),
    Column("id", String(96), nullable=False, unique=True),
    Column("direction", String(8), nullable=False),  # in, out
    Column("control_id", String(200), nullable=False),
    Column("sender", String(200), nullable=False),
    Column("type", String(40), nullable=False),
    Column("received", Instant, nullable=False),
    Column("state", String(16), nullable=False),
    Column("error_code", String(200), nullable=False),
    Column("detail", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("ack", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt", Instant),
    Index("ix_hl7_messages_control", "direction", "sender", "control_id"),
    Index("ix_hl7_messages_state", "direction", "state"),
)

administrations_to_tell = Table(
    "administrations_to_tell",
    metadata,
    Column("event_id", String(96), primary_key=True),
    Column("action", String(1), primary_key=True),  # A add, U update, D delete
    Column("body", Text, nullable=False),
    Column("told", Instant),
    Index("ix_administrations_to_tell_told", "told"),
)

fhir_tokens = Table(
    "fhir_tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),  # JSON list
    Column("created", Instant, nullable=False),
    Column("created_by", String(96), nullable=False),
    Column("expires", Instant, nullable=False),
    Column("revoked", Instant),
)
"""Access of other systems over FHIR; a token itself is only ever kept as its digest."""

fhir_subscriptions = Table(
    "fhir_subscriptions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("token_id", String(64), nullable=False),
    Column("status", String(16), nullable=False),  # active, error, off
    Column("criteria", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("payload", String(64), nullable=False),  # media type; empty: only that something changed
    Column("headers", Text, nullable=False),  # JSON list, sent with every notification
    Column("ends", Instant),
    Column("created", Instant, nullable=False),
    Column("changed", Instant, nullable=False),
    Column("version", Integer, nullable=False),
    Column("seen", Counter, nullable=False),  # the change up to which it was told
    Column("failures", Integer, nullable=False),  # in a row
    Column("next_attempt", Instant),
    Column("error", Text, nullable=False),
    Index("ix_fhir_subscriptions_status", "status"),
)
