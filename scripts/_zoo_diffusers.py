"""To come."""

from __future__ import annotations

from _zoo_designs import Design

DIFFUSERS: tuple[Design, ...] = ()
