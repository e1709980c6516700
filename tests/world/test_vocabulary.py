from collections import Counter

from heedful.world.judge import expectations
from heedful.world.vocabulary import ANIMALS, CLASSES, COLOURS, prompt_kind, single_concept_prompts, two_concept_prompts


def test_the_benchmark_has_its_276_prompts_in_three_families() -> None:
    kinds = Counter(prompt_kind(prompt) for prompt in two_concept_prompts())
    assert kinds == {"animal-animal": 66, "animal-object": 144, "object-object": 66}
    assert len(set(two_concept_prompts())) == 276


def test_every_pair_of_animals_and_of_animal_and_object_is_asked_for_once() -> None:
    pairs = Counter(frozenset(e.name for e in expectations(prompt)) for prompt in two_concept_prompts())
    assert set(pairs.values()) == {1}
    assert sum(1 for pair in pairs if pair & set(ANIMALS)) == 66 + 144


def test_prompts_use_only_words_of_the_world() -> None:
    allowed = {"a", "and", "with", *CLASSES, *COLOURS}
    assert {word for prompt in two_concept_prompts() for word in prompt.split()} <= allowed


def test_there_are_156_single_prompts() -> None:
    assert len(set(single_concept_prompts())) == 156
    assert {prompt_kind(prompt) for prompt in single_concept_prompts()} == {"single"}
