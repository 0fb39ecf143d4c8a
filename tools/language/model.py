"""Writes internal/language/model.gz from the model of py3langid (BSD-3-Clause).

python3 tools/language/model.py py3langid-0.4.0-py3-none-any.whl internal/language/model.gz

Of the model's features, sequences of bytes, it keeps for each language those that tell the most, and of each how much
less likely it is in a language than in that in which it is the most likely. It needs numpy.
"""

import collections
import gzip
import io
import lzma
import struct
import sys
import zipfile

import numpy as np

# Languages that are named, and others whose texts would be taken for one of them, by script.
SCRIPTS = {
    "latin": (
        "en de fr es pt it nl sv da no fi pl cs sk hu ro tr id vi hr sl et lv lt ca",
        "af sq sw eu ga cy is tl eo la gl mt lb jv so ha",
    ),
    "cyrillic": ("ru uk bg sr be mk", "kk mn ky"),
    "arabic": ("ar fa ur", "ps ug"),
}
SAME = {"hr": ["hr", "bs"], "id": ["id", "ms"], "no": ["no", "nn"]}
FEATURES = 500  # kept for each language that is named; a third of that for others
LONGEST = 5  # bytes
STEP = 4  # weights are in fourths


def read(wheel):
    """Return the features, their logarithmic probabilities by language, and the languages."""
    packed = zipfile.ZipFile(wheel).read("py3langid/data/model.npz.xz")
    data = np.load(io.BytesIO(lzma.decompress(packed)), allow_pickle=False)
    moves, row = data["nextmove"].reshape(-1, 256), data["nextmove_row"]
    text, waiting = {0: b""}, collections.deque([0])
    while waiting:  # the shortest way to a state is what it stands for
        state = waiting.popleft()
        for byte in range(256):
            after = int(moves[row[state]][byte])
            if after not in text:
                text[after] = text[state] + bytes([byte])
                waiting.append(after)
    features = [b""] * data["ptc"].shape[0]
    for state, feature in enumerate(data["out_feat"].tolist()):
        if feature >= 0:
            features[feature] = text[state]
    return features, data["ptc"].astype(np.float32), data["classes"].tolist()


def select(features, columns, named):
    """Return the features to keep: those that tell the most of each language."""
    p = np.exp(columns)
    tells = p * np.log(p / p.mean(1, keepdims=True))
    tells[[not 2 <= len(f) <= LONGEST for f in features]] = -1
    kept = set()
    for at in range(columns.shape[1]):
        most = FEATURES if at < named else FEATURES // 3
        kept.update(np.argsort(-tells[:, at], kind="stable")[:most].tolist())
    return sorted(kept, key=lambda f: features[f])


def main():
    wheel, to = sys.argv[1:]
    features, ptc, classes = read(wheel)
    out = bytearray()
    for named, others in SCRIPTS.values():
        codes = named.split() + others.split()
        columns = np.stack(
            [
                ptc[:, [i for i, c in enumerate(classes) if c in SAME.get(code, [code])]].max(1)
                for code in codes
            ],
            1,
        )
        kept = select(features, columns, len(named.split()))
        weights = columns[kept] - columns[kept].max(1, keepdims=True)
        weights = np.clip(np.round(-weights * STEP), 0, 63).astype(np.uint8)
        out += struct.pack(">BBI", len(named.split()), len(codes), len(kept))
        out += "".join(codes).encode()
        for f in kept:
            out += bytes([len(features[f])]) + features[f]
        out += weights.tobytes()
    with open(to, "wb") as f, gzip.GzipFile("", "wb", 9, f, mtime=0) as z:
        z.write(out)


if __name__ == "__main__":
    main()
