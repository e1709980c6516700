import importlib.util

import pytest

from heedful.errors import MissingExtra, ModelNotFound
from heedful.prompts.spacy_phrases import SpacyPhrases, phrases_of

HAS_SPACY = importlib.util.find_spec("spacy") is not None


@pytest.mark.skipif(HAS_SPACY, reason="spaCy is installed")
def test_spacy_that_is_not_installed_names_the_extra() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'heedful\[syntax\]'"):
        SpacyPhrases()("a cat")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # spaCy's own dependencies
def test_a_model_that_is_not_installed_names_the_command() -> None:
    pytest.importorskip("spacy")
    with pytest.raises(ModelNotFound, match="python -m spacy download no_such_model"):
        SpacyPhrases("no_such_model")("a cat")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_noun_chunks_become_phrases_with_compound_nouns_whole() -> None:
    spacy = pytest.importorskip("spacy")
    tokens = pytest.importorskip("spacy.tokens")
    # Parsed by hand, so that no model is needed: she / holds / a / big / teddy / bear / and / a / clock
    document = tokens.Doc(
        spacy.blank("en").vocab,
        words=["She", "holds", "a", "big", "teddy", "bear", "and", "a", "clock"],
        pos=["PRON", "VERB", "DET", "ADJ", "NOUN", "NOUN", "CCONJ", "DET", "NOUN"],
        deps=["nsubj", "ROOT", "det", "amod", "compound", "dobj", "cc", "det", "conj"],
        heads=[1, 1, 5, 5, 5, 1, 5, 8, 5],
    )
    teddy, clock = phrases_of(document)
    assert (teddy.name, teddy.noun.of(document.text)) == ("big teddy bear", "teddy bear")
    assert [span.of(document.text) for span in teddy.modifiers] == ["big"]
    assert (clock.name, clock.modifiers) == ("clock", ())
