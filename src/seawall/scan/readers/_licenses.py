"""Licences as package files declare them: SPDX expressions where they are, common texts made so.

Only spellings with one meaning are translated. "BSD" or "GPL" alone say no version and stay as
they are written: a guess would be a statement that nobody made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MAX_LICENSES: Final = 10
MAX_LICENSE: Final = 100
"""Characters; a longer text is the licence itself, not its name."""

_SPDX: Final = {
    "MIT": ("mit license", "the mit license", "the mit license (mit)", "mit/x11", "expat",
            "expat license", "mit licence", "https://opensource.org/licenses/mit",
            "opensource.org/licenses/mit", "opensource.org/licenses/mit-license.php"),
    "MIT-0": ("mit no attribution",),
    "Apache-2.0": ("apache 2", "apache 2.0", "apache-2", "apache license 2.0",
                   "apache license, version 2.0", "apache license version 2.0",
                   "apache license v2.0", "the apache license, version 2.0",
                   "the apache software license, version 2.0", "apache software license 2.0",
                   "apache software license - version 2.0", "apache v2", "asl 2.0", "apache2",
                   "apache public license 2.0", "apache license 2",
                   "apache.org/licenses/license-2.0", "apache.org/licenses/license-2.0.txt",
                   "apache.org/licenses/license-2.0.html",
                   "opensource.org/licenses/apache-2.0"),
    "BSD-2-Clause": ("2-clause bsd license", "bsd 2-clause", "bsd 2-clause license",
                     "simplified bsd license", "simplified bsd", "freebsd",
                     'bsd 2-clause "simplified" license', "bsd-2", "the bsd 2-clause license"),
    "BSD-3-Clause": ("3-clause bsd license", "bsd 3-clause", "bsd 3-clause license", "new bsd",
                     "new bsd license", "the new bsd license", "modified bsd license",
                     'bsd 3-clause "new" or "revised" license', "revised bsd license", "bsd-3",
                     "bsd 3 clause", "the bsd 3-clause license",
                     "opensource.org/licenses/bsd-3-clause"),
    "ISC": ("isc license", "iscl", "isc license (iscl)"),
    "MPL-1.1": ("mozilla public license 1.1", "mozilla public license 1.1 (mpl 1.1)", "mpl 1.1"),
    "MPL-2.0": ("mozilla public license 2.0", "mozilla public license 2.0 (mpl 2.0)", "mpl 2.0",
                "mozilla public license, version 2.0", "mpl2", "mozilla.org/mpl/2.0"),
    "EPL-1.0": ("eclipse public license 1.0", "eclipse public license - v 1.0", "epl 1.0",
                "eclipse public license v1.0", "eclipse.org/legal/epl-v10.html"),
    "EPL-2.0": ("eclipse public license 2.0", "eclipse public license - v 2.0", "epl 2.0",
                "eclipse public license v2.0", "eclipse.org/legal/epl-2.0"),
    "CDDL-1.0": ("cddl 1.0", "common development and distribution license 1.0"),
    "CDDL-1.1": ("cddl 1.1",),
    "PSF-2.0": ("python software foundation license 2.0", "psf-2.0"),
    "Unlicense": ("the unlicense", "the unlicense (unlicense)"),
    "CC0-1.0": ("cc0 1.0", "cc0", "cc0 1.0 universal",
                "cc0 1.0 universal (cc0 1.0) public domain dedication"),
    "Zlib": ("zlib license", "zlib/libpng license"),
    "WTFPL": ("do what the fuck you want to public license", "wtfpl license"),
    "BSL-1.0": ("boost software license 1.0", "boost software license 1.0 (bsl-1.0)"),
    "GPL-2.0-only": ("gnu general public license v2 (gplv2)", "gplv2", "gpl-2", "gpl v2",
                     "gpl-2.0"),
    "GPL-2.0-or-later": ("gnu general public license v2 or later (gplv2+)", "gplv2+", "gpl-2+",
                         "gpl (>= 2)", "gpl-2.0+", "gplv2 or later", "gpl-2.0 or later",
                         "gpl v2 or later"),
    "GPL-3.0-only": ("gnu general public license v3 (gplv3)", "gplv3", "gpl-3", "gpl v3",
                     "gpl-3.0"),
    "GPL-3.0-or-later": ("gnu general public license v3 or later (gplv3+)", "gplv3+", "gpl-3+",
                         "gpl (>= 3)", "gpl-3.0+", "gplv3 or later", "gpl-3.0 or later",
                         "gpl v3 or later"),
    "LGPL-2.1-only": ("lgplv2.1", "lgpl-2.1", "lgpl 2.1"),
    "LGPL-2.1-or-later": ("lgpl-2.1+", "lgplv2.1+"),
    "LGPL-3.0-only": ("gnu lesser general public license v3 (lgplv3)", "lgplv3", "lgpl-3",
                      "lgpl-3.0"),
    "LGPL-3.0-or-later": ("gnu lesser general public license v3 or later (lgplv3+)", "lgplv3+"),
    "AGPL-3.0-only": ("gnu affero general public license v3", "agplv3", "agpl-3.0"),
    "AGPL-3.0-or-later": ("gnu affero general public license v3 or later (agplv3+)", "agplv3+"),
}  # fmt: skip
_BY_TEXT: Final = {text: spdx for spdx, texts in _SPDX.items() for text in (*texts, spdx.lower())}
_URL_START: Final = re.compile(r"https?://(?:www\.)?")
_NOTHING: Final = frozenset({"", "unknown", "osi approved", "none", "noassertion", "unlicensed",
                             "see license", "license", "n/a"})  # fmt: skip


def normalise(texts: Iterable[object]) -> tuple[str, ...]:
    """Return what can be the names of licences, as SPDX where the meaning is plain; sorted."""
    found: set[str] = set()
    for text in texts:
        if isinstance(text, str) and (name := _normalise(text)):
            found.add(name)
        if len(found) > MAX_LICENSES:
            break
    return tuple(sorted(found))[:MAX_LICENSES]


def _normalise(text: str) -> str:
    if len(text) > MAX_LICENSE + 2:
        return ""
    text = text.strip()
    bare = _URL_START.sub("", text.lower()).rstrip("/.")
    if not text.isprintable() or len(text) > MAX_LICENSE or bare in _NOTHING:
        return ""
    return _BY_TEXT.get(bare, text)
