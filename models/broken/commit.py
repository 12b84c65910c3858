"""What begin, look-up, extension and commit rest on."""

from ..commit_cases import (
    CommitAbsent,
    CommitExtend,
    CommitKeys,
    CommitOutside,
    CommitSnapshot,
    CommitValues,
)
from ..commit_state import OPACITY, SERIALISABLE, STRUCTURE, UPDATE
from . import Mutant

MUTANTS = (
    Mutant(CommitValues, "skip_check", "commit_locked checks nothing", SERIALISABLE),
    Mutant(CommitValues, "no_lock", "the commit section runs without the lock", SERIALISABLE),
    Mutant(CommitValues, "read_newest", "a look-up takes the head of the chain", OPACITY),
    Mutant(
        CommitExtend, "publish_before_link", "the clock moves, then versions are linked", OPACITY
    ),
    Mutant(CommitAbsent, "extend_unchecked", "txn_extend checks no entry", OPACITY),
    Mutant(CommitAbsent, "register_after_check", "txn_extend reads the clock last", OPACITY),
    Mutant(CommitExtend, "keep_unread_entries", "txn_extend keeps what was looked up", OPACITY),
    Mutant(CommitOutside, "count_after_check", "check_outside reads the count last", UPDATE),
    Mutant(CommitOutside, "blank_ignored", "cells that are not written down are trusted", UPDATE),
    Mutant(CommitOutside, "note_before_link", "a cell is noted, then linked", UPDATE),
    Mutant(
        CommitAbsent, "absent_by_value", "an absent key is valid while its head is dead", OPACITY
    ),
    Mutant(CommitKeys, "skip_check_writes", "targets are not checked under the lock", STRUCTURE),
    Mutant(CommitKeys, "count_at_snapshot", "the count is settled from the snapshot", STRUCTURE),
    Mutant(CommitKeys, "skip_structure", "inserts and deletes leave the count alone", STRUCTURE),
    Mutant(CommitKeys, "count_unchecked", "the count that was read is not checked", SERIALISABLE),
    Mutant(CommitSnapshot, "skip_check_writes", "written keys are not checked", UPDATE),
)
