"""Language models: the same vectors as the library, the same likelihoods as token by token, and nothing but files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import transformers

from helpers import data, fetch, language
from helpers.errors import CourseError

PROMPT = "One person liked these films:\nStar Wars\nThe Empire Strikes Back\nAlien\n"
TITLES = ["Return of the Jedi\n", "Babe\n", "To", "The Umbrellas of Cherbourg\n", "Toy Story\n"]


@pytest.fixture(scope="module")
def encoder():
    return language.load_encoder()


@pytest.fixture(scope="module")
def llm():
    return language.load_llm()


@pytest.mark.slow
def test_vectors_are_those_of_sentence_transformers(encoder):
    from sentence_transformers import SentenceTransformer

    films = language.film_texts(data.load_ratings("movielens-100k").items[:40])
    texts = [*films, "x", "a longer sentence " * 60]
    library = SentenceTransformer(str(fetch.model_folder("minilm")), device="cpu", local_files_only=True)
    ours = language.embed(encoder, texts, batch=7)
    assert np.abs(ours[:41] - library.encode(texts[:41], normalize_embeddings=True)).max() < 1e-5
    assert ours.shape == (42, 384) and np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_a_film_is_described_by_what_is_known_of_it():
    items = pd.DataFrame({"title": ["Alien", "Land"], "year": [1979.0, np.nan], "genres": [("Horror", "Sci-Fi"), ()]})
    assert language.film_texts(items) == ["Alien (1979). Genres: Horror, Sci-Fi.", "Land."]
    assert language.film_texts(items[["title"]]) == ["Alien.", "Land."]


def test_vectors_of_films_are_computed_once(monkeypatch, cache):
    calls = []
    monkeypatch.setattr(language, "load_encoder", lambda name, device: name)
    monkeypatch.setattr(language, "embed", lambda encoder, texts: calls.append(encoder) or np.eye(len(texts)))
    items = pd.DataFrame({"title": ["Alien", "Babe"]})
    for _ in range(2):
        assert np.array_equal(language.film_vectors(items), np.eye(2))
    assert calls == ["minilm"] and len(list((cache / "embeddings").iterdir())) == 1
    language.film_vectors(items.iloc[:1])
    assert len(calls) == 2  # other films, other vectors


@pytest.mark.slow
def test_likelihoods_are_those_of_reading_token_by_token(llm):
    together, tokens = language.log_likelihood(llm, PROMPT, TITLES, batch=3)
    for title, total, number in zip(TITLES, together, tokens, strict=True):
        seen, wanted = llm.tokenizer(PROMPT).input_ids, llm.tokenizer(title, add_special_tokens=False).input_ids
        alone = 0.0
        for token in wanted:
            with torch.no_grad():
                alone += float(llm.model(torch.tensor([seen])).logits[0, -1].log_softmax(dim=0)[token])
            seen = [*seen, token]
        assert abs(alone - total) < 1e-3 and number == len(wanted), title
    assert together[0] > together[1]  # it knows which films go together
    with pytest.raises(CourseError, match="an empty text has no likelihood"):
        language.log_likelihood(llm, PROMPT, ["Babe", ""])


@pytest.mark.slow
def test_what_it_writes_is_the_likeliest_each_time(llm):
    codes = llm.codes(PROMPT)["input_ids"]
    with torch.no_grad():
        first = llm.model(codes).logits[0, -1].argmax()
    written = language.write(llm, PROMPT, tokens=8)
    assert written and "\n" not in written and written.startswith(llm.tokenizer.decode(first).strip())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["encoder", "llm"])
def test_looking_inside_changes_nothing(kind, request):
    model = request.getfixturevalue(kind)
    seen = language.trace(model, "Star Wars (1977)")
    with torch.no_grad():
        plain = model.model(**model.codes("Star Wars (1977)"), output_hidden_states=True)
    assert (plain.hidden_states[-1][0] - seen.states[-1]).abs().max() < 1e-3
    assert seen.pieces == model.pieces("Star Wars (1977)") and len(seen.states) == len(seen.attention) + 1
    for weights in seen.attention:
        assert torch.allclose(weights.sum(dim=-1), torch.ones(()), atol=1e-4)
    assert (seen.logits is None) == (kind == "encoder")
    assert not seen.states[-1].requires_grad and model.model.config._attn_implementation != "eager"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of one process is read from /proc")
@pytest.mark.slow
def test_an_llm_fits_into_three_gigabytes():
    """In a process of its own, with twenty candidates for one user; getrusage would count the parent's peak, too."""
    code = f"""
from pathlib import Path
from helpers import language
language.log_likelihood(language.load_llm(), {PROMPT!r}, {TITLES * 4!r})
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) / 2**20)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 1 < float(done.stdout) < 3


@pytest.fixture(scope="module")
def small_llm(tmp_path_factory):
    """A causal model of a few hundred weights with a tokenizer of its own, in a folder as a hub would hold it."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("small")
    words = {word: code for code, word in enumerate(["<unk>", "<s>", "star", "wars", "alien", "babe"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<s>"
    ).save_pretrained(folder)
    options = {"n_layer": 1, "n_head": 2, "n_embd": 8, "n_positions": 32, "bos_token_id": 1, "eos_token_id": 1}
    transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=6, **options)).save_pretrained(folder)
    return folder


def test_any_folder_in_the_form_of_a_hub_can_be_asked(small_llm):
    llm = language.load_llm(str(small_llm))
    total, tokens = language.log_likelihood(llm, "star wars", ["alien", "babe alien"])
    assert tokens.tolist() == [1, 2] and (total < 0).all()


def test_more_tokens_than_a_model_reads_are_refused(small_llm):
    llm = language.load_llm(str(small_llm))  # reads 32
    language.log_likelihood(llm, "star " * 30, ["alien babe"])
    with pytest.raises(CourseError, match=r"have 33 tokens, and .* reads 32 at most: tell it fewer films"):
        language.log_likelihood(llm, "star " * 31, ["alien", "alien babe"])
    with pytest.raises(CourseError, match="have 33 tokens"):
        language.write(llm, "star " * 13, tokens=20)


def test_a_model_that_ends_at_once_writes_nothing(small_llm):
    llm = language.load_llm(str(small_llm))
    inside = llm.model.transformer
    with torch.no_grad():
        inside.ln_f.weight.zero_()
        inside.ln_f.bias.fill_(1.0)
        inside.wte.weight[llm.tokenizer.convert_tokens_to_ids("<s>")] = 9.0  # the end, likelier than anything
    assert language.write(llm, "star wars", tokens=5) == ""


def test_folders_without_a_model_are_refused(tmp_path, small_llm):
    with pytest.raises(CourseError, match="holds no model of this kind"):
        language.load_llm(str(tmp_path))
    spoilt = tmp_path / "spoilt"
    spoilt.mkdir()
    for file in small_llm.iterdir():
        (spoilt / file.name).write_bytes(file.read_bytes())
    weights = spoilt / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(CourseError, match="holds no model of this kind"):
        language.load_llm(str(spoilt))
    weights.unlink()
    (spoilt / "pytorch_model.bin").write_bytes(b"a pickle is never read")
    with pytest.raises(CourseError, match="holds no model of this kind"):
        language.load_llm(str(spoilt))


def test_code_that_comes_with_a_model_is_not_run(tmp_path, small_llm):
    for file in small_llm.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "unheard-of", "auto_map": {"AutoModelForCausalLM": "evil.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil.py").write_text("raise SystemExit('this code ran')")
    with pytest.raises(CourseError, match="holds no model of this kind"):
        language.load_llm(str(tmp_path))
