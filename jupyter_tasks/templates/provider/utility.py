"""Resource types that make no infrastructure: terraform_data, null_resource, random_*.

Owns their arguments and computed values. "Random" values are derived from the workspace and the address: they are
made once and then kept, as Terraform keeps them in its state.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping

from jupyter_tasks.templates.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType
from jupyter_tasks.templates.hcl.values import ListValue, Value
from jupyter_tasks.templates.provider.schema import Argument, Draft, Kind, Schema

__all__ = ["KINDS"]

_C = Argument(computed=True)
_CD = Argument(DYNAMIC, computed=True)
_KEEPERS = {"id": _C, "keepers": Argument(MapType("map", STRING))}
_FLAG = Argument(BOOL, default=True)
_ADJECTIVES = ("able", "brave", "calm", "eager", "fair", "glad", "keen", "kind", "light", "merry", "neat", "quick")
_ANIMALS = ("badger", "crane", "dolphin", "falcon", "gecko", "heron", "ibex", "koala", "lynx", "otter", "puma", "wren")
_ADVERBS = ("boldly", "briefly", "gently", "kindly", "mostly", "nicely", "openly", "rarely", "safely", "truly")
_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_LONGEST = 1_024


class _Stream:
    """Numbers that are the same for the same workspace, address and keepers."""

    def __init__(self, draft: Draft) -> None:
        self._seed = f"{draft.id}\0{draft.decoded.values.get('keepers')}".encode()
        self._count = 0

    def below(self, limit: int) -> int:
        """The next number from 0 to ``limit`` - 1."""
        self._count += 1
        digest = hashlib.sha256(self._seed + str(self._count).encode()).digest()
        return int.from_bytes(digest, "big") % max(1, limit)

    def bytes(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        return bytes(self.below(256) for _ in range(length))


def _data(draft: Draft) -> Mapping[str, Value]:
    return {"id": draft.id, "output": draft.decoded.values.get("input")}


def _null(draft: Draft) -> Mapping[str, Value]:
    return {"id": draft.id}


def _length(draft: Draft, name: str, least: int = 1) -> int:
    length = draft.decoded.whole(name) or 0
    if not least <= length <= _LONGEST:
        raise draft.decoded.error(name, f"{name} must be between {least} and {_LONGEST}")
    return length


def _string(draft: Draft) -> Mapping[str, Value]:
    decoded, stream = draft.decoded, _Stream(draft)
    length = _length(draft, "length")
    groups = {
        "lower": "abcdefghijklmnopqrstuvwxyz",
        "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "numeric": "0123456789",
        "special": decoded.text("override_special") or _SPECIAL,
    }
    alphabet = "".join(letters for name, letters in groups.items() if decoded.flag(name))
    if not alphabet:
        raise decoded.place.error("at least one of lower, upper, numeric and special must be true")
    made: list[str] = []
    for name, letters in groups.items():
        made += [letters[stream.below(len(letters))] for _ in range(decoded.whole(f"min_{name}") or 0)]
    if len(made) > length:
        raise decoded.error("length", "length must be at least the sum of the min_ arguments")
    made += [alphabet[stream.below(len(alphabet))] for _ in range(length - len(made))]
    for at in range(len(made) - 1, 0, -1):
        other = stream.below(at + 1)
        made[at], made[other] = made[other], made[at]
    text = "".join(made)
    return {"id": text, "result": text}


def _integer(draft: Draft) -> Mapping[str, Value]:
    least, most = draft.decoded.whole("min") or 0, draft.decoded.whole("max") or 0
    if most < least:
        raise draft.decoded.error("max", "the minimum value needs to be smaller than or equal to the maximum value")
    number = least + _Stream(draft).below(most - least + 1)
    return {"id": str(number), "result": number}


def _uuid(draft: Draft) -> Mapping[str, Value]:
    text = str(uuid.UUID(bytes=_Stream(draft).bytes(16), version=4))
    return {"id": text, "result": text}


def _id(draft: Draft) -> Mapping[str, Value]:
    import base64

    raw = _Stream(draft).bytes(_length(draft, "byte_length"))
    prefix = draft.decoded.text("prefix")
    url = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return {
        "id": url,
        "hex": prefix + raw.hex(),
        "dec": prefix + str(int.from_bytes(raw, "big")),
        "b64_std": prefix + base64.b64encode(raw).decode(),
        "b64_url": prefix + url,
    }


def _pet(draft: Draft) -> Mapping[str, Value]:
    decoded, stream = draft.decoded, _Stream(draft)
    count = decoded.whole("length") or 1
    words = [_ADVERBS[stream.below(len(_ADVERBS))] for _ in range(min(max(count - 2, 0), 16))]
    if count > 1:
        words.append(_ADJECTIVES[stream.below(len(_ADJECTIVES))])
    words.append(_ANIMALS[stream.below(len(_ANIMALS))])
    if prefix := decoded.text("prefix"):
        words.insert(0, prefix)
    return {"id": decoded.text("separator").join(words)}


def _shuffle(draft: Draft) -> Mapping[str, Value]:
    stream = _Stream(draft)
    items = draft.decoded.values["input"]
    waiting: list[Value] = list(items) if isinstance(items, tuple) else []
    wanted = draft.decoded.whole("result_count")
    made: list[Value] = []
    while waiting and len(made) < (len(waiting) + len(made) if wanted is None else wanted):
        made.append(waiting.pop(stream.below(len(waiting))))
    return {"id": draft.id, "result": ListValue(made)}


_STRING = Schema(
    _KEEPERS
    | dict.fromkeys(("lower", "upper", "numeric", "special"), _FLAG)
    | {f"min_{name}": Argument(NUMBER, default=0) for name in ("lower", "upper", "numeric", "special")}
    | {"length": Argument(NUMBER, required=True), "override_special": Argument(), "result": _C}
)

KINDS: Mapping[tuple[str, str], Kind] = {
    ("managed", "terraform_data"): Kind(
        Schema({"id": _C, "input": Argument(DYNAMIC), "triggers_replace": Argument(DYNAMIC), "output": _CD}), _data
    ),
    ("managed", "null_resource"): Kind(Schema({"id": _C, "triggers": Argument(MapType("map", STRING))}), _null),
    ("managed", "random_string"): Kind(_STRING, _string),
    ("managed", "random_password"): Kind(_STRING, _string),
    ("managed", "random_integer"): Kind(
        Schema(
            _KEEPERS
            | {
                "min": Argument(NUMBER, required=True),
                "max": Argument(NUMBER, required=True),
                "seed": Argument(),
                "result": Argument(NUMBER, computed=True),
            }
        ),
        _integer,
    ),
    ("managed", "random_uuid"): Kind(Schema(_KEEPERS | {"result": _C}), _uuid),
    ("managed", "random_id"): Kind(
        Schema(
            _KEEPERS
            | {"byte_length": Argument(NUMBER, required=True), "prefix": Argument()}
            | dict.fromkeys(("hex", "dec", "b64_std", "b64_url"), _C)
        ),
        _id,
    ),
    ("managed", "random_pet"): Kind(
        Schema(
            _KEEPERS
            | {
                "length": Argument(NUMBER, default=2),
                "separator": Argument(default="-"),
                "prefix": Argument(),
            }
        ),
        _pet,
    ),
    ("managed", "random_shuffle"): Kind(
        Schema(
            _KEEPERS
            | {
                "input": Argument(ListType("list", STRING), required=True),
                "result_count": Argument(NUMBER),
                "seed": Argument(),
                "result": Argument(ListType("list", STRING), computed=True),
            }
        ),
        _shuffle,
    ),
}
"""(mode, type) -> what it is."""
