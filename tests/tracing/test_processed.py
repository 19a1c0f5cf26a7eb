"""What a model writes of a picture: as `generate` has it, and with the places of `trace`."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import regard
from regard.record.regrouping import sides_of
from regard.tracing.processed import processed
from tests.generated_weights import generated
from tests.tiny_sights import SEEING, picture

OF_TRANSFORMERS = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
WRITING = ["LLaVA", "LLaVA-NeXT", "Idefics3", "PaliGemma", "Qwen2.5-VL"]
CHAT = (
    "{% for one in messages[0]['content'] %}"
    "{{ '<image> ' if one['type'] == 'image' else one['text'] }}"
    "{% endfor %}{% if add_generation_prompt %} <s>{% endif %}"
)


def seeing(name: str) -> Any:
    torch.manual_seed(0)
    found = SEEING[name]()
    found.model.eval()
    return found


@OF_TRANSFORMERS
@pytest.mark.parametrize("name", WRITING)
def test_weights_and_probabilities_are_those_of_generate(name: str) -> None:
    one = seeing(name)
    given = processed(one.text, one.processor, picture(200, 120)).sentence
    given.pop("labels", None)  # of what is written, PaliGemma's processor knows none
    outcome = generated(one.model, given)
    assert outcome.verdict == "exact", outcome.detail


@OF_TRANSFORMERS
@pytest.mark.parametrize("name", WRITING)
def test_places_are_those_of_trace(name: str) -> None:
    one, shown = seeing(name), picture(200, 120)
    read = regard.trace(one.text, one.model, one.processor, images=[shown])
    seen = regard.trace_generation(
        one.text, one.model, one.processor, images=[shown], max_new_tokens=3
    )
    kind = f"{one.part}/decoder"
    before, after = (sides_of(each, kind)[1].places or [] for each in (read, seen))
    assert any(before)
    assert after == before + [None] * (len(seen.tokens) - len(read.tokens))
    assert np.array_equal(seen.media.pictures[0], shown)
    last = len(read.tokens) - 1  # which writes the first word
    drawn = regard.plot_words_on_image(seen, 0, None, range(last, len(seen.tokens)), kind=kind)
    assert len(drawn) == len(seen.tokens) - last
    plt.close()


@OF_TRANSFORMERS
def test_messages_end_where_the_answer_begins() -> None:
    one = seeing("LLaVA")
    one.processor.chat_template = CHAT
    content = [{"type": "image", "image": picture(200, 120)}, {"type": "text", "text": "what is"}]
    messages = [{"role": "user", "content": content}]
    read = regard.trace(messages, one.model, one.processor)
    seen = regard.trace_generation(messages, one.model, one.processor, max_new_tokens=2)
    assert read.tokens[-2:] == ["what", "is"]
    assert seen.tokens[: len(read.tokens) + 1] == [*read.tokens, "<s>"]
    assert len(seen.tokens) == len(read.tokens) + 2
