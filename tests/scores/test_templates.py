from hashlib import sha256

from heedful.scores.templates import IMAGENET, halves, sentences, spoken


def test_the_templates_are_the_80_that_were_published() -> None:
    """The hash is that of the public list, sorted, a line each."""
    assert len(set(IMAGENET)) == 80
    digest = sha256("\n".join(sorted(IMAGENET)).encode()).hexdigest()
    assert digest == "a8a4822f2921936e2ef07cf2e7a5df69be9532aab2f3f4880156bb03563e2467"


def test_a_prompt_keeps_one_article_in_a_template() -> None:
    filled = sentences("a cat and a dog", "imagenet")
    assert len(filled) == 80
    assert "a photo of a cat and a dog." in filled
    assert "a photo of many a cat and a dog." in filled
    assert not any("a a " in each or "the a " in each for each in filled)


def test_the_article_before_an_a_is_eaten_as_in_the_published_code() -> None:
    assert "a photo of a cat and apple." in sentences("a cat and a apple", "imagenet")


def test_a_plain_text_is_its_only_sentence() -> None:
    assert sentences("a cat", "plain") == ("a cat",)


def test_a_prompt_is_cut_at_and_or_else_at_with() -> None:
    assert halves("a cat and a dog") == ("a cat", "a dog")
    assert halves("a cat with a crown") == ("a cat", "a crown")
    assert halves("a cat with a crown and a dog") == ("a cat with a crown", "a dog")
    assert halves("a cat and a dog and a bear") == ("a cat", "a dog", "a bear")
    assert halves("a cat") == ("a cat",)
    assert halves(" and ") == (" and ",)


def test_placeholder_tokens_are_not_spoken() -> None:
    assert spoken("a <cat1> cat and a <dog1> dog") == "a cat and a dog"
    assert spoken("a photo of a <new1>") == "a photo of a"
    assert spoken("3 < 4 and 5 > 4") == "3 < 4 and 5 > 4"
