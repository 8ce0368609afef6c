"""To come."""

from __future__ import annotations

from _zoo_designs import Design

MEDIA: tuple[Design, ...] = ()
