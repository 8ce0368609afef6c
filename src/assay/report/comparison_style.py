"""Colors and measures of the page of a comparison, light and dark.

Correlations run from blue to red by way of yellow [after RdYlBu, colorbrewer2.org], which readers
who see no red or no green tell apart, too; boxes say the number as well.
"""

from __future__ import annotations

KINDS = (  # classes of boxes, and what they mean
    ("k4", ".99 and more"),
    ("k3", ".90 – .99"),
    ("k2", ".60 – .90"),
    ("k1", ".30 – .60"),
    ("k0", "below .30"),
    ("lone", "no partner found"),
    ("left", "not compared"),
    ("bare", "no weights"),
)
STYLE = """
body { max-width: 77rem; }
:root { --edge: #8a8f98; --ink: #1b1b1b; --paper: #fff; --lone: #b3541e; }
@media (prefers-color-scheme: dark) {
  :root { --edge: #7d838c; --ink: #e8e8e8; --paper: #121212; --lone: #f0a35e; }
  body { background: #121212; color: #e8e8e8; }
}
svg { display: block; }
.graphs svg { width: 100%; height: auto; font: 11.5px system-ui, sans-serif; }
.edge { fill: none; stroke: var(--edge); stroke-width: 1.2; }
.box rect, .strip rect { stroke: #0006; stroke-width: 1; }
.box text { text-anchor: middle; fill: #111; } .box .small { font-size: 10.5px; }
.k4 rect, rect.k4 { fill: #2166ac; } .k4 text { fill: #fff; }
.k3 rect, rect.k3 { fill: #92c5de; }
.k2 rect, rect.k2 { fill: #fbe7a1; }
.k1 rect, rect.k1 { fill: #ee8d4a; }
.k0 rect, rect.k0 { fill: #b2182b; } .k0 text { fill: #fff; }
.lone rect, .bare rect, .left rect { fill: var(--paper); stroke: var(--edge); }
rect.lone, rect.bare, rect.left { fill: var(--paper); stroke: var(--edge); }
.lone rect { stroke: var(--lone); stroke-width: 2; stroke-dasharray: 5 3; }
.left rect { stroke-width: 1.5; stroke-dasharray: 2 2; }
.lone text, .bare text, .left text { fill: var(--ink); }
rect.lone { stroke: var(--lone); stroke-width: 2; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem .9rem; align-items: center; }
.legend { font-size: .9rem; margin-bottom: 0; }
.legend span { display: inline-flex; gap: .35rem; align-items: center; white-space: nowrap; }
details { border-top: 1px solid var(--line); } summary { cursor: pointer; padding: .35rem 0; }
.graphs summary svg.strip { width: 330px; height: 25px; display: inline-block; }
.graphs summary svg.strip { vertical-align: middle; margin-right: .8rem; }
.swatch { display: inline-block; vertical-align: middle; } .swatch rect { stroke: #0006; }
.orders label { margin-right: 1.2rem; } .orders .scroll { margin-top: .6rem; }
#weakest:checked ~ .inorder, #inorder:checked ~ .weakest { display: none; }
.orders td { border-bottom: 1px solid var(--line); font-size: .82rem; }
.files td { width: 50%; font-size: .85rem; padding-right: 1.5rem; }
ul { margin: .4rem 0; padding-left: 1.3rem; } li { overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .6rem .8rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { details > svg { display: block; } }
"""
