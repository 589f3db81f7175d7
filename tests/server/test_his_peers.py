"""The whole link against another implementation of MLLP: python-hl7's client and server on real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import hl7
import hl7.client
import pytest
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

from broker.local import free_ports
from clinical.chart_records import CriticalValue
from clinical.records import Alarm, Observation
from server.his_link import HospitalLink
from server.settings import His
from tests.server.test_his_intake import ADMIT
from tests.server.test_hospital_reports import ALERT, LAB, OBR, SPO2
from tests.server.test_hospital_told import alarm_and_chart

HEAD = "MSH|^~\\&|LIS|H|WARDLINK|W1|20260504090000+0800||{kind}|{control}|T|2.6||||||UNICODE UTF-8\r"
PID = "PID|1||1001^^^H^MR\rPV1|1|I|W1^^01\r"
AT = "20260504085900+0800"


@pytest.mark.requirement("R-HIS-01")
@pytest.mark.requirement("R-HIS-18")
@pytest.mark.requirement("R-HIS-19")
def test_an_independent_client_delivers_every_kind_of_report(ward: Any) -> None:
    port = free_ports(1)[0]
    messages = [
        ADMIT.format(sender="HIS", control="A1", mrn="1001", bed="01"),
        HEAD.format(kind="ORU^R01", control="L1") + PID + LAB
        + "\rOBX|1|NM|2823-3^血钾^LN||6.9|mmol/L||HH|||F\r",
        HEAD.format(kind="ORU^R01", control="D1") + PID + OBR.format(at=AT) + "\r"
        + SPO2.format(value="97", flags="") + "\r",
        HEAD.format(kind="ORU^R40", control="R1") + PID
        + ALERT.format(alert="A1", phase="start", state="active", at=AT) + "\r",
        HEAD.format(kind="ADT^A17", control="B1") + PID,
    ]  # fmt: skip

    def send() -> list[str]:
        with hl7.client.MLLPClient("127.0.0.1", port, encoding="utf-8") as client:
            answers = [hl7.parse(client.send_message(hl7.parse(text)).decode()) for text in messages]
        return [str(one["MSA"][0][1]) for one in answers]

    async def scenario() -> list[str]:
        link = HospitalLink(His(mllp_port=port), ward.store, ward.site)
        await link.start()
        try:
            return await asyncio.to_thread(send)
        finally:
            await link.close()

    assert asyncio.run(scenario()) == ["AA", "AA", "AA", "AA", "AE"]
    picture = ward.store.picture
    assert [one.value for one in picture.all(CriticalValue)] == ["6.9"]
    assert {"MDC_CONC_K_GEN", "MDC_PULS_OXIM_SAT_O2"} <= {one.code for one in picture.all(Observation)}
    assert "device-limit" in {one.condition for one in picture.all(Alarm)}


@pytest.mark.requirement("R-HIS-22")
def test_an_independent_server_reads_and_answers_every_kind_of_report(ward: Any) -> None:
    ward.admit("1001", "01")
    heard: list[hl7.Message] = []

    async def process(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        while not writer.is_closing():
            try:
                message = await reader.readmessage()
            except asyncio.IncompleteReadError:
                break
            heard.append(message)
            writer.writemessage(message.create_ack())
            await writer.drain()
        writer.close()

    async def scenario() -> dict[str, int]:
        async with await start_hl7_server(process, port=0, host="127.0.0.1", encoding="utf-8") as server:
            return await alarm_and_chart(ward, server.sockets[0].getsockname()[1])

    assert asyncio.run(scenario()) == {"out-accepted": 2}
    assert [str(one["MSH"][0][9]) for one in heard] == ["ORU^R40^ORU_R40", "ORU^R01^ORU_R01"]
    assert {str(one["PID"][0][3][0][0]) for one in heard} == {"1001"}
