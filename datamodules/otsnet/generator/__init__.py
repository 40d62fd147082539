"""Pictures of words with the box of every letter, made without any file but fonts, and without those too."""

from datamodules.otsnet.generator.contact_sheet import contact_sheet
from datamodules.otsnet.generator.embedded import embedded_lexicon
from datamodules.otsnet.generator.generator import PROFILES, Drawn, Generator
from datamodules.otsnet.generator.recipe import curriculum

__all__ = ["PROFILES", "Drawn", "Generator", "contact_sheet", "curriculum", "embedded_lexicon"]
