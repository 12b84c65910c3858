"""Stores that survive: LMDB behind the store in memory, in a process of its own, the keeper.

Layout: `launch` opens a path and starts the `guard`; the `keeper` is its child, and replaced by it
when it is killed; `journal` is what a keeper does with a `backend`, of which there are two,
`lmdb_backend` and `memory`; `format` is the bytes
on disk, `files` the directory they lie in. The tools work on the files alone: `reader` and
`writer` are a journal without a keeper, `dumps` a whole store as text or CBOR, with values as
`cbor` trees in the `spelling` of JSON, `backup` a copy, `check` and `pages` look for damage.
README.md describes the format for other readers.
"""
