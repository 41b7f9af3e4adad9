"""The default embedder against the package whose data it reads."""

import hashlib
import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from lsm.embedding import EmbeddingSettings, open_embedder
from lsm.embedding.backend import BackendEmbedder
from lsm.embedding.base import Embedder
from lsm.embedding.pieces import Pieces
from lsm.embedding.wordllama import WordLlama
from lsm.errors import ConfigError, EmbeddingError

TEXTS = [
    "The boundary layer separates from the wing.",
    "  two  spaces, three   spaces and a tail  ",
    "# A heading\n\nlines\nof a paragraph,\r\n\tindented\n",
    "def add(a, b):\n    return a + b  # 1234.5e-6\n",
    "naïve café, Straße, Ωμέγα, 日本語のテキスト, हिन्दी, 🙂👩‍👩‍👧",
    "a<s>b</s> and <unk> and <sub>",
    "a ▁ literal▁mark",
    "a NUL \0 inside",
    " ",
    "\n\n",
    "x" * 3000,
    "word " * 6000,
]

# Llama's own alphabet of trouble, so that short examples find it.
troubled = st.text(
    st.one_of(st.sampled_from(" \n\r\t▁<>/s\0unk.,(1"), st.characters(codec="utf-8")), max_size=60
)


@pytest.fixture(scope="module")
def folder() -> Path:
    spec = find_spec("wordllama")
    assert spec is not None
    return Path((spec.submodule_search_locations or [])[0])


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizers/l2_supercat_tokenizer_config.json"))


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return open_embedder()


def test_vectors_are_those_of_the_package_itself(embedder: Embedder) -> None:
    # In a process of its own, because importing it sets up logging.
    program = (
        "import json, sys, wordllama; from pathlib import Path;"
        "model = wordllama.WordLlama.load("
        "cache_dir=Path(wordllama.__file__).parent, disable_download=True);"
        "print(json.dumps(model.embed(json.load(sys.stdin), norm=True, batch_size=1).tolist()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(TEXTS).encode(),
        capture_output=True,
        check=True,
    )
    theirs = np.array(json.loads(done.stdout), np.float32)

    ours = embedder.embed_documents(TEXTS)

    assert np.einsum("ij,ij->i", ours, theirs) == pytest.approx(1.0, abs=1e-5)


@given(troubled)
@example("a ▁b")
@example("end \n start")
@example("<s>")
def test_ids_are_those_of_the_tokenizer(tokenizer: Tokenizer, text: str) -> None:
    expected = tokenizer.encode(text or " ", add_special_tokens=False).ids
    if not text:
        expected = [tokenizer.token_to_id("▁")]

    ids = np.frombuffer(Pieces(tokenizer).ids(text), np.int64)

    assert ids.tolist() == expected


def test_no_token_reaches_across_the_places_where_texts_are_cut(tokenizer: Tokenizer) -> None:
    tokens = [token for token in tokenizer.get_vocab() if token.strip("▁")]

    assert [token for token in tokens if "▁" in token.lstrip("▁") or "\n" in token] == []


def test_a_full_memory_of_pieces_changes_no_id(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsm.embedding.pieces._KEPT", 3)
    text = "one two three four five one two three four five"
    pieces = Pieces(tokenizer)

    ids = np.frombuffer(pieces.ids(text), np.int64)

    assert ids.tolist() == tokenizer.encode(text, add_special_tokens=False).ids
    assert len(pieces) <= 3


@pytest.mark.parametrize("copies", [1, 2, 20])
def test_a_text_has_the_same_bits_alone_and_among_others(embedder: Embedder, copies: int) -> None:
    among = embedder.embed_documents(TEXTS * copies)

    alone = [embedder.embed_query(text) for text in TEXTS]

    assert np.array_equal(among, np.tile(np.array(alone), (copies, 1)))


def test_vectors_are_of_unit_length_and_in_order(embedder: Embedder) -> None:
    forward = embedder.embed_documents(TEXTS)
    backward = embedder.embed_documents(TEXTS[::-1])

    assert forward.shape == (len(TEXTS), embedder.dimension) == (len(TEXTS), 256)
    assert forward.dtype == np.float32
    assert np.linalg.norm(forward, axis=1) == pytest.approx(1.0, abs=1e-6)
    assert np.array_equal(forward, backward[::-1])


def test_an_empty_text_lies_where_a_single_space_mark_does(
    embedder: Embedder, tokenizer: Tokenizer, folder: Path
) -> None:
    raw = (folder / "weights/l2_supercat_256.safetensors").read_bytes()[-32000 * 512 :]
    row = np.frombuffer(raw, np.float16).reshape(32000, 256)[tokenizer.token_to_id("▁")]
    expected = row.astype(np.float64) / np.linalg.norm(row.astype(np.float64))

    assert embedder.embed_query("") == pytest.approx(expected, abs=1e-6)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed_documents([]).shape == (0, 256)


def test_a_lone_surrogate_counts_as_a_question_mark(embedder: Embedder) -> None:
    broken = embedder.embed_documents(["caf\udce9 \ud83d", "<s> caf\udce9"])

    assert np.array_equal(broken, embedder.embed_documents(["caf? ?", "<s> caf?"]))


def test_a_smaller_dimension_is_the_first_numbers(embedder: Embedder) -> None:
    small = open_embedder("wordllama", EmbeddingSettings(dimension=64))

    vector = small.embed_query(TEXTS[0])

    head = embedder.embed_query(TEXTS[0])[:64]
    assert small.dimension == 64
    assert vector == pytest.approx(head / np.linalg.norm(head), abs=1e-6)


def test_more_numbers_than_there_are_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^embedding\.dimension: wordllama has 256"):
        open_embedder("wordllama", EmbeddingSettings(dimension=257))


def test_prefixes_are_put_before_the_texts(embedder: Embedder) -> None:
    prefixed = open_embedder(
        "wordllama", EmbeddingSettings(query_prefix="ask: ", document_prefix="tell: ")
    )

    assert np.array_equal(prefixed.embed_query("why"), embedder.embed_query("ask: why"))
    assert np.array_equal(
        prefixed.embed_documents(["why"]), embedder.embed_documents(["tell: why"])
    )


def test_the_recorded_identity_is_that_of_the_files(folder: Path, tmp_path: Path) -> None:
    unrecorded = _copy(folder, tmp_path)

    assert WordLlama(unrecorded).name == WordLlama(folder).name == open_embedder().model


def test_other_weights_have_another_name(folder: Path, tmp_path: Path) -> None:
    changed = _copy(folder, tmp_path)
    with (changed / "weights/l2_supercat_256.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x11")

    assert WordLlama(changed).name != WordLlama(folder).name


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("weights/l2_supercat_256.safetensors", None, "cannot read its weights"),
        ("weights/l2_supercat_256.safetensors", b"\x02" + b"\0" * 7 + b"{}", "its weights"),
        ("weights/l2_supercat_256.safetensors", b"cut", "cannot read its weights"),
        ("tokenizers/l2_supercat_tokenizer_config.json", None, "cannot read its tokenizer"),
        ("tokenizers/l2_supercat_tokenizer_config.json", b"{}", "cannot read its tokenizer"),
    ],
)
def test_a_damaged_package_is_named_in_one_line(
    folder: Path, tmp_path: Path, name: str, content: bytes | None, problem: str
) -> None:
    damaged = _copy(folder, tmp_path)
    (damaged / name).unlink()
    if content is not None:
        (damaged / name).write_bytes(content)

    with pytest.raises(EmbeddingError) as caught:
        BackendEmbedder(WordLlama(damaged), EmbeddingSettings()).embed_query("x")

    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_name_says_what_changes_vectors() -> None:
    plain = open_embedder("default").model
    names = {
        open_embedder("wordllama", settings).model
        for settings in (
            EmbeddingSettings(timeout_s=1),
            EmbeddingSettings(dimension=64),
            EmbeddingSettings(document_prefix="a"),
            EmbeddingSettings(query_prefix="a"),
            EmbeddingSettings(document_prefix="a&query_prefix=b"),
            EmbeddingSettings(document_prefix="a", query_prefix="b"),
        )
    }

    assert plain in names
    assert len(names) == 6
    digest = plain.removeprefix("wordllama:l2_supercat_256@")
    assert len(digest) == len(hashlib.sha256().hexdigest()[:12])


def _copy(folder: Path, target: Path) -> Path:
    """The data files without the record of who installed them."""
    for name in ("weights", "tokenizers"):
        shutil.copytree(folder / name, target / "wordllama" / name)
    return target / "wordllama"
