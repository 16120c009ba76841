"""What the connector imports of ccxt is what ccxt itself would give it, without the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_TELL = """
import json, sys
if sys.argv[1] == "slim":
    from opensqt.venues.transport import lazy_ccxt
    lazy_ccxt.install()
import ccxt, ccxt.pro, ccxt.async_support
from pydantic import SecretStr
from opensqt.config.venue import VenueSettings
from opensqt.venues.factory import VENUES, venue_type
told = {}
for name in sorted(VENUES):
    key = SecretStr("canary")
    client = venue_type(name).make_client(VenueSettings(name=name, api_key=key, secret=key, passphrase=key))
    kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(client).__mro__]
    told[name] = {"kinds": kinds, "has": client.has, "urls": client.urls, "version": ccxt.__version__}
    told[name]["exceptions"] = repr(client.exceptions)
told["base"] = [repr(ccxt.Exchange), repr(ccxt.pro.Exchange), repr(ccxt.async_support.Exchange)]
told["imported"] = sorted(name for name in sys.modules if name.startswith("ccxt.pro."))
print(json.dumps(told, default=repr))
"""


def told(how: str) -> dict[str, Any]:
    # In processes of their own: a process imports ccxt once.
    result = subprocess.run([sys.executable, "-c", _TELL, how], capture_output=True, check=True, text=True)
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_every_venue_is_the_same_and_nothing_else_is_imported() -> None:
    """F27: what is never used is not held."""
    slim, whole = told("slim"), told("whole")
    imported = slim.pop("imported")
    assert len(whole.pop("imported")) > 50
    assert len(imported) <= 10, imported
    assert slim == whole


def test_a_name_that_ccxt_does_not_have_is_no_attribute() -> None:
    code = (
        "from opensqt.venues.transport import lazy_ccxt; lazy_ccxt.install();import ccxt.pro; ccxt.pro.no_such_exchange"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert "AttributeError: module 'ccxt.pro' has no attribute 'no_such_exchange'" in result.stderr


def test_ccxt_that_is_there_already_stays() -> None:
    code = (
        "import sys, ccxt; before = ccxt; from opensqt.venues.transport import lazy_ccxt; lazy_ccxt.install();"
        "assert sys.modules['ccxt'] is before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
