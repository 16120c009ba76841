"""The lazy packages of ccxt provide what ccxt itself provides, without importing the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_REPORT = """
import json, sys
if sys.argv[1] == "lazy":
    from opensqt.venues.transport import lazy_ccxt
    lazy_ccxt.install()
import ccxt, ccxt.pro, ccxt.async_support
from pydantic import SecretStr
from opensqt.config.venue import VenueSettings
from opensqt.venues.factory import VENUES, venue_type
report = {}
for name in sorted(VENUES):
    key = SecretStr("canary")
    client = venue_type(name).make_client(VenueSettings(name=name, api_key=key, secret=key, passphrase=key))
    kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(client).__mro__]
    report[name] = {"kinds": kinds, "has": client.has, "urls": client.urls, "version": ccxt.__version__}
    report[name]["exceptions"] = repr(client.exceptions)
report["base"] = [repr(ccxt.Exchange), repr(ccxt.pro.Exchange), repr(ccxt.async_support.Exchange)]
report["imported"] = sorted(name for name in sys.modules if name.startswith("ccxt.pro."))
print(json.dumps(report, default=repr))
"""


def loaded(mode: str) -> dict[str, Any]:
    # Each mode needs its own process: a process imports ccxt once.
    result = subprocess.run([sys.executable, "-c", _REPORT, mode], capture_output=True, check=True, text=True)
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_every_venues_client_is_the_same_and_no_other_exchange_is_imported() -> None:
    """F27: code that is never used is not kept in memory."""
    lazy, whole = loaded("lazy"), loaded("whole")
    imported = lazy.pop("imported")
    assert len(whole.pop("imported")) > 50
    assert len(imported) <= 10, imported
    assert lazy == whole


def test_a_name_that_ccxt_does_not_have_raises_attribute_error() -> None:
    code = (
        "from opensqt.venues.transport import lazy_ccxt; lazy_ccxt.install();import ccxt.pro; ccxt.pro.no_such_exchange"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert "AttributeError: module 'ccxt.pro' has no attribute 'no_such_exchange'" in result.stderr


def test_install_keeps_ccxt_if_it_was_imported_before() -> None:
    code = (
        "import sys, ccxt; before = ccxt; from opensqt.venues.transport import lazy_ccxt; lazy_ccxt.install();"
        "assert sys.modules['ccxt'] is before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
