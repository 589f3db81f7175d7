"""Clinical scores: NEWS2, MEWS, Braden, Morse, pain."""

from clinical.scores.mews import mews
from clinical.scores.model import Score
from clinical.scores.news2 import news2
from clinical.scores.scales import braden, morse, pain

__all__ = ["Score", "braden", "mews", "morse", "news2", "pain"]
