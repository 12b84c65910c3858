"""How the report looks, by day and by night and on paper: no network, no script."""

STYLE = """
:root { color-scheme: light dark;
  --page: #f7f8fa; --card: #ffffff; --ink: #1c2733; --soft: #5d6b7a; --rule: #dfe4ea;
  --good: #00795a; --loser: #b06a00; --winner: #0a66a8; --cost: #c24a17; --key: #6b5b00;
  --heat-ink: #1c2733; }
@media (prefers-color-scheme: dark) { :root {
  --page: #10151b; --card: #171e26; --ink: #dbe2ea; --soft: #8a97a6; --rule: #2a343f;
  --good: #35b592; --loser: #e8a42c; --winner: #6cbdf0; --cost: #ee8354; --key: #e9dc6a;
  --heat-ink: #ffffff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; margin: 0; } h2 { font-size: 17px; margin: 34px 0 10px; }
h3 { font-size: 14px; margin: 0 0 6px; }
p { margin: 0; } .soft, .note { color: var(--soft); } .note { font-size: 13px; margin: 6px 0 0; }
.verdict { font-size: 18px; margin: 18px 0 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(124px, 1fr));
  gap: 10px; margin: 18px 0 0; }
.tile, .card { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
.tile { padding: 10px 14px; } .tile b { display: block; font-size: 21px; font-weight: 600; }
.tile span { color: var(--soft); font-size: 13px; }
.card { padding: 14px 16px; overflow-x: auto; }
.grid2 { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr));
  gap: 14px; }
ol.advice { list-style: none; margin: 0; padding: 0; display: grid; gap: 10px; }
ol.advice li { border-left: 4px solid var(--loser); }
ol.advice .try { margin-top: 4px; }
svg { width: 100%; height: auto; display: block; font: 12px system-ui, sans-serif; }
.grid { stroke: var(--rule); stroke-width: 1; } .axis { fill: var(--soft); }
.end { text-anchor: end; } .middle { text-anchor: middle; }
.line { fill: none; stroke: var(--tone); stroke-width: 1.8; stroke-linejoin: round; }
.area { fill: var(--tone); opacity: .16; } .dot { fill: var(--tone); }
.band { fill: transparent; } .band:hover { fill: var(--soft); opacity: .18; }
.t-good { --tone: var(--good); } .t-loser { --tone: var(--loser); }
.t-winner { --tone: var(--winner); } .t-cost { --tone: var(--cost); }
.legend { font-size: 13px; color: var(--soft); font-weight: 400; }
.legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px;
  margin: 0 5px 3px 12px; background: var(--tone); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; text-align: right; white-space: nowrap; }
th { color: var(--soft); font-weight: 500; font-size: 13px; }
tr + tr > * { border-top: 1px solid var(--rule); }
.text { text-align: left; max-width: 30ch; overflow: hidden; text-overflow: ellipsis; }
.loser { color: var(--loser); } .winner { color: var(--winner); }
.key { color: var(--key); } .cost { color: var(--cost); } .good { color: var(--good); }
bdi, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .93em; }
.heat { width: auto; } .heat td { min-width: 72px; text-align: center; color: var(--heat-ink);
  background: color-mix(in srgb, var(--loser) calc(.7 * var(--heat, 0%)), transparent);
  border: 2px solid var(--card); border-radius: 6px; }
.heat th { max-width: 24ch; overflow: hidden; text-overflow: ellipsis; text-align: center; }
.heat th[scope=row] { text-align: right; max-width: 34ch; }
.bar { display: inline-block; height: 10px; border-radius: 2px; background: var(--loser);
  opacity: .75; }
@media print { body { background: none; } .card, .tile { break-inside: avoid; } }
"""
