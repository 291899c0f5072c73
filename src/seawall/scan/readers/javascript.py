"""JavaScript libraries that lie as single files in a web application, outside `node_modules`.

Two statements must agree: the file's name, and the banner with which the library itself begins. A
banner deeper in a file is of a bundle, and is not looked for: bundles are not told apart here.
"""

from __future__ import annotations

import re
from typing import Final

from seawall.core.limits import MIB
from seawall.scan.model import Evidence, PackageType, Role
from seawall.scan.readers import Content, Found, Reader

MAX_BANNER: Final = 600
"""Bytes from the start in which a banner stands."""
MAX_BYTES: Final = 8 * MIB

_V: Final = r"([0-9]+\.[0-9]+(?:\.[0-9]+)?(?:-?(?:alpha|beta|rc)[.0-9]*)?)"
_LIBRARIES: Final[tuple[tuple[str, str, str], ...]] = (
    # npm name, stem of the file, banner
    ("jquery", r"jquery", rf"/\*!\s*(?:\* )?jQuery (?:JavaScript Library )?v{_V}[ \n]"),
    ("jquery-ui", r"jquery[.-]ui", rf"/\*! jQuery UI - v{_V} - "),
    ("bootstrap", r"bootstrap(?:\.bundle)?", rf"/\*!\s+\* Bootstrap v{_V} \(http"),
    ("angular", r"angular", rf"/\*\*?\s+(?:\* @license )?(?:\* )?\s*AngularJS v{_V}\n"),
    ("vue", r"vue(?:\.(?:global|runtime|esm-browser))*(?:\.prod)?",
     rf"/\*[*!]\s+\*\s+(?:Vue\.js |vue )v{_V}\n"),
    ("react", r"react(?:\.(?:production|development))?",
     rf"/\*\* @license React v{_V}\s+\* react\."),
    ("react-dom", r"react-dom(?:\.(?:production|development))?",
     rf"/\*\* @license React v{_V}\s+\* react-dom\."),
    ("moment", r"moment", rf"//! moment\.js\s+//! version : {_V}\n"),
    ("handlebars", r"handlebars(?:\.runtime)?", rf"/\*\*?!\s+@license\s+handlebars v{_V}\n"),
    ("underscore", r"underscore", rf"//\s+Underscore\.js {_V}\n"),
    ("backbone", r"backbone", rf"//\s+Backbone\.js {_V}\n"),
    ("d3", r"d3(?:\.v[0-9])?", rf"// https://d3js\.org v{_V} Copyright"),
    ("chart.js", r"chart(?:\.umd)?", rf"/\*!\s+\* Chart\.js v{_V}\n"),
    ("axios", r"axios", rf"/[/*]!? [Aa]xios v{_V} "),
    ("dompurify", r"purify", rf"/\*! @license DOMPurify {_V} \| "),
    ("select2", r"select2(?:\.full)?", rf"/\*! ?(?:\s*\* )?Select2 {_V}[ \n]"),
    ("knockout", r"knockout(?:-latest)?", rf"/\*!\s+\* Knockout JavaScript library v{_V}\n"),
    ("video.js", r"video", rf"/\*\*?\s+\* (?:@license\s+\* )?Video\.js {_V} "),
)  # fmt: skip
_END: Final = r"(?:[-.]v?[0-9][0-9.]*(?:[-.](?:alpha|beta|rc)[0-9.]*)?)?(?:\.slim)?(?:[.-]min)?\.js"
_TABLE: Final = tuple(
    (name, re.compile(stem + _END, re.IGNORECASE), re.compile(rf"\s*{banner}"))
    for name, stem, banner in _LIBRARIES
)
_STEMS: Final = re.compile(
    f"(?:{'|'.join(stem for _, stem, _ in _LIBRARIES)}){_END}", re.IGNORECASE
)


def read_library(content: Content, path: str) -> tuple[Found, ...]:
    """Read the banner of a library; nothing when it has none, or that of another."""
    file = path.rpartition("/")[2]
    head = bytes(content[:MAX_BANNER]).decode("utf-8", "replace").replace("\r\n", "\n")
    for name, named, banner in _TABLE:
        if named.fullmatch(file) and (match := banner.match(head)) is not None:
            found = Found(
                type=PackageType.NPM,
                name=name,
                version=match[1],
                role=Role.BUNDLED,
                evidence=(Evidence(kind="signature", detail="banner", confidence=0.9),),
            )
            return (found,)
    return ()


def _is_wanted(path: str) -> bool:
    folder, _, file = path.rpartition("/")
    return _STEMS.fullmatch(file) is not None and "node_modules" not in folder.split("/")


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="JavaScript library",
        read=read_library,
        endings=(".js",),
        is_wanted=_is_wanted,
        max_bytes=MAX_BYTES,
    ),
)
