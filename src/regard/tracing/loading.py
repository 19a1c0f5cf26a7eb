"""A model and its tokenizer by name: a folder, a GGUF file, or a name on the Hugging Face hub."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

GGUF = ".gguf"
WRITES_ON = re.compile("(CausalLM|LMHead|LMHeadModel)$")


def is_on_hub(name: str) -> bool:
    """Say whether a name is neither of a file nor of a folder.

    Examples
    --------
    >>> is_on_hub("bert-base-uncased"), is_on_hub("./bert"), is_on_hub("model.gguf")
    (True, False, False)
    """
    is_path = name.endswith(GGUF) or name.startswith((".", "/", "~"))
    return not is_path and not Path(name).exists()


def load(name: str) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Load a model with the head that its configuration names, and its tokenizer.

    Parameters
    ----------
    name
        A folder or a GGUF file, for which no network is used; or a name on the Hugging Face hub.

    Raises
    ------
    TypeError
        If the name is no text.
    ValueError
        If there is no such model, or it cannot be loaded.
    """
    from regard.record.door import text  # noqa: PLC0415  slow to load

    if not text("The name of a model", name).strip():
        raise ValueError("The name of a model is empty: give a folder, a .gguf file or a name.")
    is_file = name.endswith(GGUF)
    place, file = os.path.split(name) if is_file else (name, None)
    options: dict[str, Any] = {"gguf_file": file} if is_file else {}
    if Path(name).exists():
        place = place or "."
        options["local_files_only"] = True
    elif not is_on_hub(name):
        raise ValueError(f"There is no model {name}: no such file or folder.")
    options["trust_remote_code"] = False  # else it asks
    from transformers import AutoConfig  # noqa: PLC0415  slow to load

    try:
        config = AutoConfig.from_pretrained(place, **options)
        tokenizer = _load_tokenizer(place, options)
        model = _load_model(place, config, options)
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        raise ValueError(f"{name} could not be loaded: {_reason(name, error)}") from error
    return model, tokenizer


def _reason(name: str, error: Exception) -> str:
    """Say why a model could not be loaded, in one line."""
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415  slow to load

    if isinstance(error.__cause__, LocalEntryNotFoundError):
        return (
            "there is no such file or folder, what was kept from the Hugging Face hub has not all "
            "of it, and the hub cannot be asked, without a network or with HF_HUB_OFFLINE set"
        )
    if Path(name).is_dir() and not Path(name, "config.json").exists():
        return "the folder has no config.json: name one that `save_pretrained` wrote"
    return one_line(error)


def _load_tokenizer(place: str, options: dict[str, Any]) -> Any:
    """Load a tokenizer, or raise where there is none that knows something."""
    from transformers import AutoTokenizer  # noqa: PLC0415  slow to load

    from regard.tracing.expected import with_vocabulary  # noqa: PLC0415  slow to load

    try:
        return with_vocabulary(AutoTokenizer.from_pretrained(place, **options))
    except (ValueError, ImportError) as error:
        raise ValueError(
            f"its tokenizer is missing, or cannot be read: {one_line(error)}"
        ) from error


def _load_model(place: str, config: Any, options: dict[str, Any]) -> Any:
    """Load the model with its head, or without one where transformers knows none for it."""
    import transformers  # noqa: PLC0415  slow to load

    names = " ".join(getattr(config, "architectures", None) or [])
    if names.endswith("EncoderModel"):  # half of an encoder-decoder
        auto: Any = transformers.AutoModelForTextEncoding
    elif getattr(config, "is_encoder_decoder", False):
        auto = transformers.AutoModelForSeq2SeqLM
    elif WRITES_ON.search(names) or "gguf_file" in options:
        auto = transformers.AutoModelForCausalLM
    else:
        auto = transformers.AutoModel
    try:
        return auto.from_pretrained(place, **options)
    except ValueError:  # there is no such head for it
        return transformers.AutoModel.from_pretrained(place, **options)


@contextmanager
def silence() -> Iterator[None]:
    """Keep transformers from talking; what goes wrong is raised."""
    from huggingface_hub.utils import logging as hub  # noqa: PLC0415  slow to load
    from transformers.utils import logging  # noqa: PLC0415  slow to load

    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    of_hub = hub.get_verbosity()
    logging.set_verbosity_error()
    hub.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()
    try:
        with redirect_stderr(io.StringIO()):  # some progress bars cannot be switched off
            yield
    finally:
        logging.set_verbosity(verbosity)
        hub.set_verbosity(of_hub)
        if has_bars:
            logging.enable_progress_bar()


def one_line(error: Exception) -> str:
    """Give the first paragraph of an error's message, without line breaks."""
    return " ".join(str(error).strip().split("\n\n", maxsplit=1)[0].split())
