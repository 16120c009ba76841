"""Generate src/opensqt/proto from proto/: messages, stubs and type hints.

protoc names modules after the contract's package (opensqt.market_maker.v1), which would stand in the market
maker's way; so the files are made aside, moved, and their imports of each other renamed.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "opensqt.market_maker.v1"
TARGET = ROOT / "src" / "opensqt" / "proto"


def main() -> int:
    """Answer protoc's exit code."""
    sources = sorted((ROOT / "proto" / PACKAGE.replace(".", "/")).glob("*.proto"))
    with tempfile.TemporaryDirectory() as made:
        code = protoc.main(
            [
                "protoc",
                f"-I{ROOT / 'proto'}",
                f"-I{files('grpc_tools') / '_proto'}",
                f"--python_out={made}",
                f"--pyi_out={made}",
                f"--grpc_python_out={made}",
                *map(str, sources),
            ]
        )
        if code:
            return int(code)
        shutil.rmtree(TARGET, ignore_errors=True)
        TARGET.mkdir(parents=True)
        (TARGET / "__init__.py").write_text(
            '"""Generated from proto/ by `make proto`; never edited."""\n', encoding="utf-8"
        )
        for path in sorted(Path(made).rglob("*_pb2*.py*")):
            if path.stem.endswith("_pb2_grpc") and path.name.startswith("types"):
                continue
            text = re.sub(
                rf"^from {re.escape(PACKAGE)} import",
                "from opensqt.proto import",
                path.read_text(),
                flags=re.M,
            )
            (TARGET / path.name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
