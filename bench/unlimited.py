"""AIMS as it is, but for how much one person may send: the bench's fifty teachers send thousands of
requests a second, and each of them is counted like any other."""

from app.auth.rates import Rates
from app.config import load_settings
from app.main import create_app

app = create_app(load_settings())
app.state.rates = Rates(1, person=10**9)
