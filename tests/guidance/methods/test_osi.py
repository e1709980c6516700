from heedful.guidance import KeyShift, find_method
from heedful.guidance.methods import OSI
from heedful.references import cite


def test_published_numbers_are_those_of_flux() -> None:
    assert find_method("osi") is OSI
    assert OSI.loss is None
    assert OSI.settings.key_shift == KeyShift(heads=(), strength=5.0, guided=0.5)


def test_it_cites_its_paper() -> None:
    assert "2605.14270" in cite(OSI)
