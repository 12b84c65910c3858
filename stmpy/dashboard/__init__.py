"""The live view of a store, and the report of what it did.

Layers: a reader gives frozen records (`stmpy.statistics`); pure functions make text of them; the
view puts that on a screen. The view never reads the region, and only `_app`, `_widgets` and
`_screens` know textual.

`_text` writes figures and names; `_timeline` keeps the last minute; `_rows` joins what happened in
all and what happens now; `_table` fits rows into a width; `_panels` are the six tables; `_summary`
is the head; `_details` tells all about one row; `_once` prints it all once.
"""
