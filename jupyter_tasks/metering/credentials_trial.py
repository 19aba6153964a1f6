"""Trying a credential: one request that costs nothing, and the vendor's own words when it is not taken.

Owns that request and the reading of its answer, which is foreign: bounded, shown as text, never with the secret in it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jupyter_tasks.metering.gateway_headers import vendor_words
from jupyter_tasks.metering.gateway_redact import redacted
from jupyter_tasks.metering.gateway_upstream import Upstreams, why_not
from jupyter_tasks.models import KeyTestResponse

if TYPE_CHECKING:
    from jupyter_tasks.metering.credentials import Credential

__all__ = ["trial"]

TIMEOUT = 10.0
MOST_ANSWER = 1 << 20
MOST_MODELS = 200


async def trial(credential: Credential) -> KeyTestResponse:
    """Ask the vendor for its models. Never raises for what the vendor or the way to it does."""
    import anyio

    status, body = None, bytearray()
    upstreams = Upstreams(connect_timeout=TIMEOUT, read_timeout=TIMEOUT)
    try:
        with anyio.fail_after(TIMEOUT):
            headers = {"accept": "application/json", "accept-encoding": "identity", **credential.provider.headers}
            headers |= {**credential.additions(), **credential.headers()}
            answer = await upstreams.send(
                credential.base_url,
                "GET",
                credential.provider.models_path,
                [(name.encode(), value.encode()) for name, value in headers.items()],
                None,
            )
            status = answer.status
            async with answer:
                body += answer.first
                async for piece in answer.pieces():
                    body += piece
                    if len(body) > MOST_ANSWER:
                        break
    except Exception as error:  # noqa: BLE001 -- whatever it is, the user is told why there was no answer
        return KeyTestResponse(ok=False, status=status, message=why_not(error, credential.base_url))
    finally:
        with anyio.CancelScope(shield=True):
            await upstreams.close()
    answered = redacted(bytes(body), credential.secret.encode())
    if 200 <= status < 300:
        return KeyTestResponse(ok=True, status=status, message="The key works.", models=_models(answered))
    said = vendor_words(answered) or "no reason given"
    return KeyTestResponse(ok=False, status=status, message=f"{credential.provider.title} answered {status}: {said}")


def _models(body: bytes) -> list[str]:
    try:
        answer: Any = json.loads(body)
        listed = answer.get("data") or answer.get("models") or []
        names = [str(each.get("id") or each.get("name")) for each in listed if isinstance(each, dict)]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return []
    return [name[:200] for name in names if name.isprintable()][:MOST_MODELS]
