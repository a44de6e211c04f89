"""What common licences permit, by their SPDX identifiers (spdx.org/licenses), each read from its own legal text."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class KnownLicence(NamedTuple):
    """Its identifier, where its text stands, and what that says."""

    spdx: str
    url: str
    commercial: bool = True
    derivatives: bool = True
    attribution: bool = True
    share_alike: bool = False


CC, CDLA, ODC, OSI = (
    "https://creativecommons.org/licenses",
    "https://cdla.dev",
    "https://opendatacommons.org/licenses",
    "https://opensource.org/license",
)
PUBLIC_DOMAIN = "https://creativecommons.org/publicdomain"


def creative_commons(version: str) -> list[KnownLicence]:
    """The six licences of one version, whose names say what they forbid (NC, ND) and ask for (BY, SA)."""
    return [
        KnownLicence(
            spdx=f"CC-{kind.upper()}-{version}",
            url=f"{CC}/{kind}/{version}/legalcode",
            commercial="nc" not in kind,
            derivatives="nd" not in kind,
            share_alike="sa" in kind,
        )
        for kind in ("by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd")
    ]


TABLE = (
    KnownLicence("CC0-1.0", f"{PUBLIC_DOMAIN}/zero/1.0/legalcode", attribution=False),
    *creative_commons("4.0"),
    *creative_commons("3.0"),
    KnownLicence("PDDL-1.0", f"{ODC}/pddl/1-0/", attribution=False),
    KnownLicence("ODC-By-1.0", f"{ODC}/by/1-0/"),
    KnownLicence("ODbL-1.0", f"{ODC}/odbl/1-0/", share_alike=True),
    KnownLicence("CDLA-Permissive-1.0", f"{CDLA}/permissive-1-0/"),
    KnownLicence("CDLA-Permissive-2.0", f"{CDLA}/permissive-2-0/", attribution=False),
    KnownLicence("CDLA-Sharing-1.0", f"{CDLA}/sharing-1-0/", share_alike=True),
    KnownLicence("OGL-UK-3.0", "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"),
    KnownLicence("MIT", f"{OSI}/mit"),
    KnownLicence("BSD-2-Clause", f"{OSI}/bsd-2-clause"),
    KnownLicence("BSD-3-Clause", f"{OSI}/bsd-3-clause"),
    KnownLicence("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
    KnownLicence("MPL-2.0", "https://www.mozilla.org/en-US/MPL/2.0/", share_alike=True),
    KnownLicence("GPL-3.0-only", "https://www.gnu.org/licenses/gpl-3.0.html", share_alike=True),
    KnownLicence("GPL-3.0-or-later", "https://www.gnu.org/licenses/gpl-3.0.html", share_alike=True),
    KnownLicence("AGPL-3.0-only", "https://www.gnu.org/licenses/agpl-3.0.html", share_alike=True),
    KnownLicence("AGPL-3.0-or-later", "https://www.gnu.org/licenses/agpl-3.0.html", share_alike=True),
)
"""All of them permit redistribution, under the terms named here."""

KNOWN: Mapping[str, KnownLicence] = MappingProxyType({one.spdx.casefold(): one for one in TABLE})
"""By identifier in lower case: SPDX compares them without regard to case."""
