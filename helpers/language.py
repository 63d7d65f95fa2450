"""Pretrained language models: a text encoder (BERT) and a causal one (LLM); load, embed, score, write, look inside.

Used from notebook 07 on.
"""

import copy
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from helpers import fetch
from helpers.errors import CourseError

try:
    import safetensors
    import transformers
except ImportError as error:
    raise CourseError(
        f"this page reads language models, and their packages are not installed ({error}): run `make lab LLM=1`, or in "
        "the course's environment `pip install --editable '.[llm]'`."
    ) from None

transformers.utils.logging.disable_progress_bar()


@dataclass(frozen=True)
class Language:
    """A tokenizer and its model, which lies on a device, in evaluation mode."""

    name: str
    tokenizer: Any
    model: Any

    def pieces(self, text: str) -> list[str]:
        """The tokens a text is split into, with those that the model adds at its ends."""
        return self.tokenizer.convert_ids_to_tokens(self.tokenizer(text).input_ids)

    def codes(self, texts: list[str] | str, **options: Any) -> Any:
        """The tokenizer's tensors for texts, on the device of the model."""
        return self.tokenizer(texts, return_tensors="pt", **options).to(self.model.device)


def load_encoder(name: str = "minilm", *, device: torch.device | str = "cpu") -> Language:
    """A text encoder by name ("minilm"), folder, or id of a hub.

    Raises:
        CourseError: as `fetch.model_folder`, or files that are no encoder.
    """
    return _load(transformers.AutoModel, name, torch.float32, device)


def load_llm(
    name: str = "gemma",
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Language:
    """A causal language model by name ("gemma"), folder, or id of a hub.

    Raises:
        CourseError: as `fetch.model_folder`, or files that are no causal language model.
    """
    return _load(transformers.AutoModelForCausalLM, name, dtype, device)


def _load(kind: Any, name: str, dtype: torch.dtype, device: torch.device | str) -> Language:
    folder = fetch.model_folder(name)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = kind.from_pretrained(folder, dtype=dtype, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
        reason = str(error).strip().splitlines()[0][:140]
        raise CourseError(
            f"{folder} holds no model of this kind ({reason}): take another name, or delete it and fetch it anew."
        ) from None
    return Language(name, tokenizer, model.to(device).eval())


# Texts as vectors


def film_texts(items: pd.DataFrame) -> list[str]:
    """One sentence a film, of what is known of it: title, year, genres."""
    texts = []
    for film in items.to_dict("records"):
        text = film["title"]
        if pd.notna(film.get("year")):
            text += f" ({film['year']:.0f})"
        if len(film.get("genres", ())):
            text += f". Genres: {', '.join(film['genres'])}"
        texts.append(f"{text}.")
    return texts


def pooled(encoder: Language, texts: list[str]) -> Tensor:
    """The mean of each text's token vectors, at length 1; slopes can be taken. Shape: (texts, dim)"""
    codes = encoder.codes(texts, padding=True, truncation=True)
    states = encoder.model(**codes).last_hidden_state  # (texts, tokens, dim)
    is_real = codes["attention_mask"][..., None]  # (texts, tokens, 1)
    mean = (states * is_real).sum(dim=1) / is_real.sum(dim=1)
    return torch.nn.functional.normalize(mean, dim=1)


def embed(encoder: Language, texts: list[str], *, batch: int = 64) -> np.ndarray:
    """Vectors of length 1 for texts, those of one length together. Shape: (texts, dim), float32."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    vectors = []
    with torch.inference_mode():
        for begin in range(0, len(texts), batch):
            some = [texts[k] for k in order[begin : begin + batch]]
            vectors.append(pooled(encoder, some).cpu().numpy())
    back = np.argsort(order)
    return np.concatenate(vectors)[back].astype(np.float32)


def film_vectors(items: pd.DataFrame, name: str = "minilm", *, device: torch.device | str = "cpu") -> np.ndarray:
    """`embed` of `film_texts`, computed once and then read from the cache. Shape: (items, dim)"""
    texts = film_texts(items)
    digest = hashlib.sha256("\n".join([name, *texts]).encode()).hexdigest()
    path = fetch.cache_folder() / "embeddings" / f"{digest}.npy"
    if not path.is_file():
        with fetch.storage_errors_told(), fetch.written_whole(path) as half:
            np.save(half, embed(load_encoder(name, device=device), texts))
    return np.load(path, allow_pickle=False)


# Texts as predictions


def log_likelihood(
    llm: Language,
    prompt: str,
    continuations: list[str],
    *,
    batch: int = 10,
) -> tuple[np.ndarray, np.ndarray]:
    """How likely a model holds each continuation of a prompt, which is read once.

    Shapes:
        returns: natural logarithm of the probability (n,), and the number of tokens it is spread over (n,)
    Raises:
        CourseError: an empty continuation, or more tokens than the model reads.
    """
    answers = [llm.tokenizer(text, add_special_tokens=False).input_ids for text in continuations]
    if not all(answers):
        raise CourseError("an empty text has no likelihood: each continuation needs a token at least.")
    told = llm.codes(prompt)
    check_length(llm, told["input_ids"].shape[1] + max(map(len, answers)))
    with torch.inference_mode():
        read = llm.model(**told, use_cache=True, logits_to_keep=1)
        parts = [_continue(llm.model, read, answers[begin : begin + batch]) for begin in range(0, len(answers), batch)]
    return np.concatenate(parts), np.array([len(answer) for answer in answers])


def check_length(llm: Language, tokens: int) -> None:
    """Refuse more tokens than a model was made to read: beyond them it answers, and its answers mean nothing."""
    most = getattr(llm.model.config.get_text_config(), "max_position_embeddings", None)
    if most is not None and tokens > most:
        raise CourseError(
            f"prompt and answer have {tokens:,} tokens, and {llm.name} reads {most:,} at most: tell it fewer films."
        )


def _continue(model: Any, read: Any, answers: list[list[int]]) -> np.ndarray:
    """Sums of log probabilities of token lists after a prompt that was read. Padding comes last, where no one looks."""
    n = len(answers)
    lengths = torch.tensor([len(answer) for answer in answers])
    table = torch.zeros(n, int(lengths.max()), dtype=torch.long)  # (answers, tokens)
    for row, answer in zip(table, answers, strict=True):
        row[: len(answer)] = torch.tensor(answer)
    table = table.to(model.device)
    logits = read.logits.expand(n, -1, -1)  # of the first tokens: (answers, 1, vocabulary)
    if table.shape[1] > 1:
        name = "cache" if "cache" in read else "past_key_values"  # as older releases of transformers call it
        cache = copy.deepcopy(read[name])
        cache.batch_repeat_interleave(n)
        further = model(table[:, :-1], **{name: cache}, use_cache=True).logits
        logits = torch.cat([logits, further], dim=1)  # (answers, tokens, vocabulary)
    surprise = cross_entropy(logits.flatten(0, 1).float(), table.flatten(), reduction="none").view(n, -1)
    is_real = torch.arange(table.shape[1]) < lengths[:, None]
    return -(surprise.cpu() * is_real).sum(dim=1).numpy()


def write(llm: Language, prompt: str, *, tokens: int = 30, end: str = "\n") -> str:
    """What a model writes next, the likeliest token each time, up to `end`; "" where it ends at once."""
    codes = llm.codes(prompt)
    check_length(llm, codes["input_ids"].shape[1] + tokens)
    with torch.inference_mode():
        written = llm.model.generate(**codes, max_new_tokens=tokens, do_sample=False)
    return llm.tokenizer.decode(written[0, codes["input_ids"].shape[1] :], skip_special_tokens=True).split(end)[0]


# Looking inside


@dataclass(frozen=True)
class Trace:
    """What a model did with one text.

    Shapes: states, layers + 1 of (tokens, dim); attention, layers of (heads, tokens, tokens), a row a token that looks;
    logits (tokens, vocabulary), None for an encoder
    """

    pieces: list[str]
    states: list[Tensor]
    attention: list[Tensor]
    logits: Any


@torch.no_grad()
def trace(language: Language, text: str) -> Trace:
    """Tokens, activations and attention weights of one text."""
    model = language.model
    codes = language.codes(text)
    fast = model.config._attn_implementation
    model.set_attn_implementation("eager")  # the fast one keeps no weights
    try:
        out = model(**codes, output_hidden_states=True, output_attentions=True)
    finally:
        model.set_attn_implementation(fast)
    states = [state[0] for state in out.hidden_states]
    attention = [weights[0] for weights in out.attentions]
    logits = out.logits[0] if "logits" in out else None
    return Trace(language.pieces(text), states, attention, logits)
