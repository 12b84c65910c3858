"""What the README claims has a proof that exists; tests/docs runs its examples."""

import re

from tests.docs.examples import ROOT

CLAIMS = re.findall(
    r"^\| (\w[^|]*)\|([^|]*)\|([^|]*)\|$", (ROOT / "README.md").read_text(), re.MULTILINE
)


def test_each_claim_names_its_proof() -> None:
    assert len(CLAIMS) >= 5
    for feature, status, proof in CLAIMS:
        paths = re.findall(r"`([^`]+)`", proof)
        assert paths or status.strip() == "not yet", f"nothing shows: {feature}"
        assert all((ROOT / path).exists() for path in paths), proof
