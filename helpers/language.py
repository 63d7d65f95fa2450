"""Pretrained language models: a text encoder (BERT) and a causal one (LLM); load, embed, score, write, look inside.

Built in notebook 07.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import safetensors
import torch
import transformers
from torch import Tensor

from helpers.course import pretrained
from helpers.course.errors import CourseError

transformers.utils.logging.disable_progress_bar()


@dataclass(frozen=True)
class Language:
    """A tokenizer and its model, which lies on a device, in evaluation mode."""

    name: str
    tokenizer: Any
    model: torch.nn.Module

    def pieces(self, text: str) -> list[str]:
        """The tokens a text is split into, with those that the model adds at its ends."""
        return self.tokenizer.convert_ids_to_tokens(self.tokenizer(text).input_ids)

    def codes(self, texts: list[str] | str, **options: Any) -> Any:
        """The tokenizer's tensors for texts, on the device of the model."""
        return self.tokenizer(texts, return_tensors="pt", **options).to(self.model.device)


def load_encoder(name: str = "minilm", *, device: torch.device | str = "cpu") -> Language:
    """A text encoder by name ("minilm"), folder, or id of a hub.

    Raises:
        CourseError: as `pretrained.model_folder`, or files that are no encoder.
    """
    return _load(transformers.AutoModel, name, torch.float32, device)


def load_llm(
    name: str = "gemma", *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Language:
    """A causal language model by name ("gemma"), folder, or id of a hub.

    Raises:
        CourseError: as `pretrained.model_folder`, or files that are no causal language model.
    """
    return _load(transformers.AutoModelForCausalLM, name, dtype, device)


def _load(kind: Any, name: str, dtype: torch.dtype, device: torch.device | str) -> Language:
    folder = pretrained.model_folder(name)
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
        year = f" ({film['year']:.0f})" if film.get("year", np.nan) == film.get("year", np.nan) else ""
        genres = f". Genres: {', '.join(film['genres'])}." if len(film.get("genres", ())) else "."
        texts.append(f"{film['title']}{year}{genres}")
    return texts


def pooled(encoder: Language, texts: list[str]) -> Tensor:
    """The mean of each text's token vectors, at length 1; slopes can be taken. Shape: (texts, dim)"""
    codes = encoder.codes(texts, padding=True, truncation=True)
    states, real = encoder.model(**codes).last_hidden_state, codes["attention_mask"][..., None]
    return torch.nn.functional.normalize((states * real).sum(dim=1) / real.sum(dim=1), dim=1)


def embed(encoder: Language, texts: list[str], *, batch: int = 64) -> np.ndarray:
    """Vectors of length 1 for texts, those of one length together. Shape: (texts, dim), float32."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    vectors = []
    with torch.inference_mode():
        for begin in range(0, len(texts), batch):
            vectors.append(pooled(encoder, [texts[k] for k in order[begin : begin + batch]]).cpu().numpy())
    return np.concatenate(vectors)[np.argsort(order)].astype(np.float32)


def film_vectors(items: pd.DataFrame, name: str = "minilm", *, device: torch.device | str = "cpu") -> np.ndarray:
    """`embed` of `film_texts`, computed once and then read from the cache. Shape: (items, dim)"""
    texts = film_texts(items)
    return pretrained.kept("\n".join([name, *texts]), lambda: embed(load_encoder(name, device=device), texts))


# Texts as predictions


def log_likelihood(
    llm: Language, prompt: str, continuations: list[str], *, batch: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """How likely a model holds each continuation of a prompt, which is read once.

    Shapes:
        returns: natural logarithm of the probability (n,), and the number of tokens it is spread over (n,)
    Raises:
        CourseError: an empty continuation.
    """
    answers = [llm.tokenizer(text, add_special_tokens=False).input_ids for text in continuations]
    if not all(answers):
        raise CourseError("an empty text has no likelihood: each continuation needs a token at least.")
    with torch.inference_mode():
        read = llm.model(**llm.codes(prompt), use_cache=True, logits_to_keep=1)
        parts = [_continue(llm.model, read, answers[begin : begin + batch]) for begin in range(0, len(answers), batch)]
    return np.concatenate(parts), np.array([len(answer) for answer in answers])


def _continue(model: torch.nn.Module, read: Any, answers: list[list[int]]) -> np.ndarray:
    """Sums of log probabilities of token lists after a prompt that was read. Padding comes last, where no one looks."""
    n, lengths = len(answers), torch.tensor([len(answer) for answer in answers])
    table = torch.zeros(n, int(lengths.max()), dtype=torch.long)
    for row, answer in zip(table, answers, strict=True):
        row[: len(answer)] = torch.tensor(answer)
    table, logits = table.to(model.device), read.logits.expand(n, -1, -1)  # (n, 1, vocabulary)
    if table.shape[1] > 1:
        cache = copy.deepcopy(read.cache)
        cache.batch_repeat_interleave(n)
        logits = torch.cat([logits, model(table[:, :-1], cache=cache, use_cache=True).logits], dim=1)
    surprise = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), table.flatten(), reduction="none")
    real = torch.arange(table.shape[1]) < lengths[:, None]
    return -(surprise.view(n, -1).cpu() * real).sum(dim=1).numpy()


def write(llm: Language, prompt: str, *, tokens: int = 30, end: str = "\n") -> str:
    """What a model writes next, the likeliest token each time, up to `end`."""
    codes = llm.codes(prompt)
    with torch.inference_mode():
        written = llm.model.generate(**codes, max_new_tokens=tokens, do_sample=False)
    return llm.tokenizer.decode(written[0, codes["input_ids"].shape[1] :], skip_special_tokens=True).split(end)[0]


# Looking inside


@dataclass(frozen=True)
class Look:
    """What a model did with one text.

    Shapes: vectors (tokens, dim) that went in; states, layers + 1 of (tokens, dim); attention, layers of
    (heads, tokens, tokens), a row a token that looks; logits (tokens, vocabulary), None for an encoder
    """

    pieces: list[str]
    vectors: Tensor
    states: list[Tensor]
    attention: list[Tensor]
    logits: Tensor | None


def look(language: Language, text: str, *, slopes: bool = False) -> Look:
    """Tokens, activations and attention weights of one text; with `slopes`, `vectors.grad` fills on `backward`."""
    model, codes = language.model, language.codes(text)
    vectors = model.get_input_embeddings()(codes.pop("input_ids")).detach().requires_grad_(slopes)
    fast = model.config._attn_implementation
    model.set_attn_implementation("eager")  # the fast one keeps no weights
    try:
        with torch.set_grad_enabled(slopes):
            out = model(inputs_embeds=vectors, output_hidden_states=True, output_attentions=True, **codes)
    finally:
        model.set_attn_implementation(fast)
    first = lambda tensors: [tensor[0] for tensor in tensors]
    logits = out.logits[0] if "logits" in out else None
    return Look(language.pieces(text), vectors, first(out.hidden_states), first(out.attentions), logits)
