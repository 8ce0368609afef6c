"""What a mark that is found says of two models, beside all else."""

from __future__ import annotations

import pytest

from assay.comparing.marks import with_mark
from assay.values import Evidence, Kin, Record, Relation

FOUND = Evidence("structural(key=0)", 1.0, -20.0)
KNOWN = Evidence("structure()", 0.5, None)


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("before", [*Relation])
@pytest.mark.parametrize("shows", [*Relation])
def test_a_mark_raises_a_relation_no_higher_than_it_shows(
    before: Relation, shows: Relation, counts: bool
) -> None:
    kin = Kin(Record("a.onnx", "onnx"), before, (KNOWN,))
    now = with_mark(kin, FOUND, 1e-6, counts=counts, shows=shows)
    most = min(shows, Relation.COMMON_ANCESTOR) if counts else Relation.UNRELATED
    assert now.relation == max(before, most)
    assert sorted(each.score for each in now.evidence) == [0.5, 1.0]
    assert now.evidence[0] is (FOUND if now.relation > before else KNOWN)
    missed = Evidence("structural(key=0)", 0.1, -1.0)
    assert with_mark(kin, missed, 1e-6, counts=counts, shows=shows).relation == before


def test_a_base_explains_no_mark_that_it_has_not() -> None:
    kin = Kin(Record("a.onnx", "onnx"), Relation.COMMON_ANCESTOR, (KNOWN,), explained_by="base")
    for in_base, left in ((False, None), (True, "base")):
        now = with_mark(kin, FOUND, 1e-6, counts=True, in_base=in_base)
        assert (now.relation, now.explained_by) == (Relation.COMMON_ANCESTOR, left)
    assert with_mark(kin, FOUND, 1e-6, counts=False).explained_by == "base"
