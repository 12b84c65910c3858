"""What a store tells about itself: frozen records, and what can be worked out from them.

Layout: `_attach` finds the stores of other processes; `_image` reads a region, which may be
damaged; `_gather` adds it up to the records of `_model`; `_derive` are pure functions of those:
what happened between two, rates, orders; `_export` writes them for programs.
"""

from stmpy.statistics._attach import Attached as Attached
from stmpy.statistics._attach import Found as Found
from stmpy.statistics._attach import StoreGone as StoreGone
from stmpy.statistics._attach import StoreNotFound as StoreNotFound
from stmpy.statistics._attach import attach as attach
from stmpy.statistics._attach import find as find
from stmpy.statistics._derive import Rates as Rates
from stmpy.statistics._derive import difference as difference
from stmpy.statistics._derive import ranked as ranked
from stmpy.statistics._derive import rates as rates
from stmpy.statistics._export import COLUMNS as COLUMNS
from stmpy.statistics._export import as_data as as_data
from stmpy.statistics._export import figures as figures
from stmpy.statistics._export import prometheus as prometheus
from stmpy.statistics._image import OtherVersion as OtherVersion
from stmpy.statistics._model import REASONS as REASONS
from stmpy.statistics._model import STATES as STATES
from stmpy.statistics._model import UNKNOWN as UNKNOWN
from stmpy.statistics._model import Block as Block
from stmpy.statistics._model import CutKey as CutKey
from stmpy.statistics._model import Durability as Durability
from stmpy.statistics._model import Histogram as Histogram
from stmpy.statistics._model import KeyHeat as KeyHeat
from stmpy.statistics._model import Memory as Memory
from stmpy.statistics._model import Pair as Pair
from stmpy.statistics._model import Stats as Stats
from stmpy.statistics._model import Thread as Thread
from stmpy.statistics._otel import opentelemetry as opentelemetry
