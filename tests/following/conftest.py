"""A store for each test, and threads that end with it."""

from tests.waiting.conftest import Start as Start
from tests.waiting.conftest import start as start
from tests.waiting.conftest import store as store
from tests.waiting.conftest import table as table
