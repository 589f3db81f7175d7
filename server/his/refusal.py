"""Why a message is refused, in the words of HL7 and in a plain sentence."""

from __future__ import annotations

from clinical.errors import BadInputError


class RefusedMessageError(BadInputError):
    """A message, or one field of it, cannot be used.

    Args:
        code: Stable kebab-case code, kept with the message and sent in ERR-5.
        sentence: One plain English sentence that says what to change; never patient data.
        hl7_code: Table HL70357: 100 sequence, 101 required field, 102 data type, 103 table value, 200 message
            type, 201 event, 202 processing id, 203 version, 204 unknown key, 205 duplicate, 206 locked,
            207 internal.
        where: The place as ``PID-7``; empty when it is the message as a whole.
        reject: True answers AR (this system does not do that), False answers AE (this message is wrong).
    """

    def __init__(
        self, code: str, sentence: str, *, hl7_code: int, where: str = "", reject: bool = False
    ) -> None:
        super().__init__(code, sentence)
        self.hl7_code = hl7_code
        self.where = where
        self.reject = reject


def missing(where: str, what: str) -> RefusedMessageError:
    """Say that a field which is needed is empty."""
    return RefusedMessageError(
        "field-missing", f"{where} ({what}) is needed and is empty.", hl7_code=101, where=where
    )


def wrong_form(where: str, what: str) -> RefusedMessageError:
    """Say that a field is not written as its data type asks."""
    return RefusedMessageError("field-form", f"{where} is not {what}.", hl7_code=102, where=where)


TOO_LONG = RefusedMessageError(
    "message-too-long", "The message is longer than this system takes.", hl7_code=207, reject=True
)
