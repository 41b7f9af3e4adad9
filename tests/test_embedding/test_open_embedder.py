import subprocess
import sys
from pathlib import Path

import pytest

from lsm.embedding import EmbeddingSettings, open_embedder
from lsm.embedding.weights import identity
from lsm.errors import ConfigError, MissingExtraError


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ["numpy", "tokenizers", "httpx", "msgspec", "wordllama", "logging", "asyncio"]
    program = f"import sys, lsm.embedding; print([m for m in {heavy} if m in sys.modules])"

    done = python(program)

    assert done.stdout == "[]\n"


def test_the_default_never_imports_the_package_it_reads() -> None:
    program = (
        "import sys; from lsm.embedding import open_embedder; e = open_embedder();"
        "e.embed_query('x'); e.embed_documents(['x'] * 100); e.model;"
        "print([m for m in ('wordllama', 'logging', 'requests', 'pydantic') if m in sys.modules])"
    )

    done = python(program)

    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("wordlama", "no embedder is called 'wordlama'; did you mean wordllama?"),
        ("fastembd:x", "no embedder is called 'fastembd:x'; did you mean fastembed:MODEL?"),
        ("OpenAI:x", "no embedder is called 'OpenAI:x'; did you mean openai:MODEL?"),
        ("openai", "openai needs a model: openai:MODEL"),
        ("ollama: ", "ollama needs a model: ollama:MODEL"),
        (
            "",
            (
                "no embedder is called ''; choose wordllama, fastembed:MODEL, model2vec:MODEL, "
                "sentence-transformers:MODEL, ollama:MODEL, openai:MODEL"
            ),
        ),
    ],
)
def test_a_name_that_is_none_gets_the_nearest_that_is(name: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_embedder(name)

    assert str(caught.value) == f"embedding: {problem}"


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("fastembed:BAAI/bge-small-en-v1.5", "fastembed", "fastembed"),
        ("model2vec:minishlab/potion-base-8M", "model2vec", "model2vec"),
        ("sentence-transformers:a/b", "sentence_transformers", "sentence-transformers"),
    ],
)
def test_a_missing_extra_is_named(
    name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(MissingExtraError) as caught:
        open_embedder(name)

    assert str(caught.value) == f"{name} needs: pip install 'local-second-mind[{extra}]'"


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"batch_tokens": 0}, "batch_tokens"),
        ({"attempts": 0}, "attempts"),
        ({"dimension": 0}, "dimension"),
        ({"base_url": "localhost:11434"}, "base_url"),
        ({"base_url": "ftp://host"}, "base_url"),
        ({"base_url": "http://"}, "base_url"),
        ({"base_url": "http://host/v1?key=secret"}, "base_url"),
    ],
)
def test_a_setting_that_cannot_work_is_named(settings: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        EmbeddingSettings(**settings)  # type: ignore[arg-type]

    assert caught.value.key == f"embedding.{key}"


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        EmbeddingSettings(base_url="https://me:secret@host/v1")

    assert "secret" not in str(caught.value)


def test_a_directory_is_known_by_what_it_holds(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place / "model").mkdir(parents=True)
        (tmp_path / place / "model" / "config.json").write_text("{}")
    one, two = (str(tmp_path / place / "model") for place in ("one", "two"))
    before = identity("model2vec", one)

    assert before == identity("model2vec", two)
    assert before.startswith("model2vec:model@")

    Path(one, "config.json").write_text("[]")
    assert identity("model2vec", one) != before


def test_a_name_that_is_no_directory_stays_a_name() -> None:
    assert identity("model2vec", "minishlab/potion") == "model2vec:minishlab/potion"


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
